// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// command returns the name that imageFor gave an image.
func command(i *Image) string {
	if i == nil {
		return ""
	}
	return strings.Join(i.Config.Config.Cmd, " ")
}

// A choice is the image found in index.json for a reference and a platform.
type choice struct {
	name  string
	index func(t *testing.T, dir string) []v1.Descriptor
	ref   string // the name in it
	want  string // a platform
	image string // that comes
	err   string // or a part of the message
}

func check(t *testing.T, choices []choice) {
	for _, c := range choices {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			l := newLayout(t, dir, c.index(t, dir)...)
			got, err := l.Image(t.Context(), Ref{Dir: dir, Name: c.ref}, parsed(t, c.want))
			switch {
			case c.err == "" && (err != nil || command(got) != c.image):
				t.Errorf("%s, %v; want %s", command(got), err, c.image)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || status.Of(err) != status.NoInput):
				t.Errorf("status %d: %v; want %s", status.Of(err), err, c.err)
			}
		})
	}
}

func TestFind(t *testing.T) {
	one := func(t *testing.T, dir string) []v1.Descriptor {
		return []v1.Descriptor{imageFor(t, dir, "one", "")}
	}
	two := func(t *testing.T, dir string) []v1.Descriptor {
		return []v1.Descriptor{named(imageFor(t, dir, "one", "linux/amd64"), "v1"), named(imageFor(t, dir, "two", "linux/amd64"), "v2")}
	}
	check(t, []choice{
		{"a single manifest without a platform", one, "", "linux/arm64", "one", ""},
		{"by name", two, "v2", "linux/amd64", "two", ""},
		{"two candidates: the tags are listed", two, "", "linux/amd64", "", "v1, v2"},
		{"an unknown name", two, "v3", "linux/amd64", "", "v3"},
		{"an empty layout", func(*testing.T, string) []v1.Descriptor { return nil }, "", "linux/amd64", "", "image not found"},
		{"one image under two names is one", func(t *testing.T, dir string) []v1.Descriptor {
			d := imageFor(t, dir, "one", "linux/amd64")
			return []v1.Descriptor{named(d, "v1"), named(d, "v2")}
		}, "", "linux/amd64", "one", ""},
		{"two indexes: the tags are listed", func(t *testing.T, dir string) []v1.Descriptor {
			a := put(t, dir, v1.MediaTypeImageIndex, index(on(t, imageFor(t, dir, "one", "linux/amd64"), "linux/amd64")))
			b := put(t, dir, v1.MediaTypeImageIndex, index(on(t, imageFor(t, dir, "two", "linux/amd64"), "linux/amd64")))
			return []v1.Descriptor{named(a, "v1"), named(b, "v2")}
		}, "", "linux/amd64", "", "v1, v2"},
	})
}

func TestPlatforms(t *testing.T) {
	fat := func(platforms ...string) func(*testing.T, string) []v1.Descriptor {
		return func(t *testing.T, dir string) []v1.Descriptor {
			var all []v1.Descriptor
			for _, p := range platforms {
				all = append(all, on(t, imageFor(t, dir, p, p), p))
			}
			return []v1.Descriptor{put(t, dir, v1.MediaTypeImageIndex, index(all...))}
		}
	}
	attested := func(t *testing.T, dir string) []v1.Descriptor {
		image := on(t, imageFor(t, dir, "image", "linux/amd64"), "linux/amd64")
		a := imageFor(t, dir, "unknown", "linux/amd64")
		a.Platform = &v1.Platform{OS: "unknown", Architecture: "unknown"}
		b := imageFor(t, dir, "reference", "linux/amd64")
		b.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest"}
		return []v1.Descriptor{put(t, dir, v1.MediaTypeImageIndex, index(a, image, b))}
	}
	nested := func(t *testing.T, dir string) []v1.Descriptor {
		d := fat("linux/amd64", "linux/arm64")(t, dir)[0]
		for range 3 {
			d = put(t, dir, v1.MediaTypeImageIndex, index(d))
		}
		return []v1.Descriptor{named(d, "v1")}
	}
	check(t, []choice{
		{"the platform asked for", fat("linux/amd64", "linux/arm64"), "", "linux/arm64", "linux/arm64", ""},
		{"by the config, where the index says nothing", func(t *testing.T, dir string) []v1.Descriptor {
			return []v1.Descriptor{imageFor(t, dir, "a", "linux/amd64"), imageFor(t, dir, "b", "linux/arm64")}
		}, "", "linux/arm64", "b", ""},
		{"the variant asked for", fat("linux/arm/v6", "linux/arm/v7"), "", "linux/arm/v7", "linux/arm/v7", ""},
		{"no variant asked for, one there", fat("linux/amd64", "linux/arm/v7"), "", "linux/arm", "linux/arm/v7", ""},
		{"no variant asked for, two there", fat("linux/arm/v6", "linux/arm/v7"), "", "linux/arm", "", "linux/arm/v6"},
		{"another variant", fat("linux/arm/v6"), "", "linux/arm/v7", "", "only linux/arm/v6"},
		{"arm64 is arm64/v8 (containers/image#898)", fat("linux/amd64", "linux/arm64"), "", "linux/arm64/v8", "linux/arm64", ""},
		{"and the other way round", fat("linux/arm64/v8"), "", "linux/arm64", "linux/arm64/v8", ""},
		{"amd64/v3 is not amd64", fat("linux/amd64/v3"), "", "linux/amd64/v1", "", "only linux/amd64/v3"},
		{"another platform: the platforms are listed", fat("linux/amd64", "linux/arm64"), "", "linux/s390x", "", "only linux/amd64, linux/arm64"},
		{"a single manifest for another platform", fat("linux/amd64"), "", "linux/arm64", "", "only linux/amd64"},
		{"attestations are not images", attested, "", "linux/amd64", "image", ""},
		{"indexes nest", nested, "v1", "linux/arm64", "linux/arm64", ""},
	})
}

func TestFindByDigest(t *testing.T) {
	dir := t.TempDir()
	inner := on(t, imageFor(t, dir, "inner", "linux/arm64"), "linux/arm64")
	list := put(t, dir, v1.MediaTypeImageIndex, index(on(t, imageFor(t, dir, "other", "linux/amd64"), "linux/amd64"), inner))
	outer := imageFor(t, dir, "outer", "linux/amd64")
	l := newLayout(t, dir, named(outer, "v1"), named(list, "v2"))
	for _, c := range []struct {
		ref      Ref
		platform string
		want     string
	}{
		{Ref{Digest: outer.Digest}, "linux/amd64", "outer"},
		{Ref{Name: "moved", Digest: outer.Digest}, "linux/amd64", "outer"}, // the tag may have moved since
		{Ref{Digest: inner.Digest}, "linux/arm64", "inner"},
		{Ref{Digest: list.Digest}, "linux/amd64", "other"},
		{Ref{Digest: inner.Digest}, "linux/amd64", "inner"}, // its own manifest's: no choice is left
	} {
		if got, err := l.Image(t.Context(), c.ref, parsed(t, c.platform)); err != nil || command(got) != c.want {
			t.Errorf("%v: %s, %v; want %s", c.ref, command(got), err, c.want)
		}
	}
	if _, err := l.Image(t.Context(), Ref{Digest: digest.FromString("none")}, parsed(t, "linux/amd64")); status.Of(err) != status.NoInput {
		t.Errorf("an unknown digest: %v", err)
	}
}

func TestNestedTooDeep(t *testing.T) {
	dir := t.TempDir()
	d := imageFor(t, dir, "x", "linux/amd64")
	for range maxDepth + 1 {
		d = put(t, dir, v1.MediaTypeImageIndex, index(d))
	}
	if _, err := newLayout(t, dir, d).Image(t.Context(), Ref{Dir: dir}, parsed(t, "linux/amd64")); status.Of(err) != status.Bad {
		t.Errorf("status %d: %v", status.Of(err), err)
	}
}

// The hint names a platform that --platform accepts.
func TestWrongPlatformHint(t *testing.T) {
	want := v1.Platform{OS: "linux", Architecture: "s390x"}
	windows := v1.Platform{OS: "windows", Architecture: "amd64"}
	for _, c := range []struct {
		have []v1.Platform
		hint string
	}{
		{[]v1.Platform{windows, DefaultPlatform}, "--platform linux/amd64"},
		{[]v1.Platform{DefaultPlatform, windows}, "--platform linux/amd64"},
		{[]v1.Platform{windows}, ""},
	} {
		if hint := status.HintOf(wrongPlatform(want, c.have)); hint != c.hint {
			t.Errorf("%v: hint %q, want %q", c.have, hint, c.hint)
		}
	}
}
