// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"banger/lib/status"
)

func TestParseRef(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"app", "a:b", "a:b:1", "with space", "deep/down", "x@y", "both", "both:1"} {
		newLayout(t, dir)
	}
	sum := digest.Digest("sha256:" + strings.Repeat("0", 64))
	long := digest.Digest("sha512:" + strings.Repeat("0", 128))
	for s, want := range map[string]Ref{
		"app":                            {Dir: "app"},
		"./app/":                         {Dir: "./app/"},
		"app:1":                          {Dir: "app", Name: "1"},
		"app:docker.io/library/x:1":      {Dir: "app", Name: "docker.io/library/x:1"},
		"app:localhost:5000/x:1":         {Dir: "app", Name: "localhost:5000/x:1"},
		"app@" + string(sum):             {Dir: "app", Digest: sum},
		"app@" + string(long):            {Dir: "app", Digest: long},
		"app:1@" + string(sum):           {Dir: "app", Name: "1", Digest: sum},
		"app:ghcr.io/a/b@" + string(sum): {Dir: "app", Name: "ghcr.io/a/b", Digest: sum},
		"a:b":                            {Dir: "a:b"},
		"a:b:x":                          {Dir: "a:b", Name: "x"},
		"a:b:1":                          {Dir: "a:b", Name: "1"}, // from the left: the shortest that is a layout
		"a:b:1:2":                        {Dir: "a:b", Name: "1:2"},
		"both:1":                         {Dir: "both", Name: "1"},
		"with space:1":                   {Dir: "with space", Name: "1"},
		"deep/down:a/b":                  {Dir: "deep/down", Name: "a/b"},
		"x@y":                            {Dir: "x@y"},
		"x@y:1@" + string(sum):           {Dir: "x@y", Name: "1", Digest: sum},
	} {
		got, err := ParseRef(s)
		if err != nil || got != want {
			t.Errorf("ParseRef(%s) = %+v, %v; want %+v", s, got, err, want)
		}
		if err == nil && got.String() != s {
			t.Errorf("ParseRef(%s) prints as %s", s, got)
		}
	}
	for s, code := range map[string]status.Code{
		"none": status.NoInput, "none:1": status.NoInput, "": status.NoInput, "deep": status.NoInput,
		"app@sha256:123": status.Usage, "app:1@sha256:" + strings.Repeat("g", 64): status.Usage, "app:": status.Usage,
	} {
		if got, err := ParseRef(s); status.Of(err) != code {
			t.Errorf("ParseRef(%q) = %+v, status %d: %v", s, got, status.Of(err), err)
		}
	}
}

// Reference returns the name for the record.
func TestReference(t *testing.T) {
	sum := digest.Digest("sha256:" + strings.Repeat("0", 64))
	for _, c := range []struct {
		ref  Ref
		want string
	}{
		{Ref{Dir: "/x/app"}, "app"},
		{Ref{Dir: "/x/app/", Name: "1"}, "app:1"},
		{Ref{Dir: "/x/oci", Name: "docker.io/library/debian:bookworm"}, "docker.io/library/debian:bookworm"},
		{Ref{Dir: "/x/oci", Name: "docker.io/library/debian:bookworm", Digest: sum}, "docker.io/library/debian:bookworm"},
		{Ref{Dir: "/x/oci", Name: "localhost:5000/a/b", Digest: sum}, "localhost:5000/a/b@" + string(sum)},
	} {
		if got := c.ref.Reference(sum); got != c.want {
			t.Errorf("%v: %s, want %s", c.ref, got, c.want)
		}
	}
}

func TestParsePlatform(t *testing.T) {
	for _, s := range []string{"linux/amd64", "linux/arm/v7", "linux/riscv64"} {
		if p, err := ParsePlatform(s); err != nil || PlatformString(p) != s {
			t.Errorf("%s: %+v, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "linux", "linux/", "/amd64", "linux/arm/v7/x", "windows/amd64"} {
		if p, err := ParsePlatform(s); status.Of(err) != status.Usage {
			t.Errorf("%q: %+v, %v", s, p, err)
		}
	}
}
