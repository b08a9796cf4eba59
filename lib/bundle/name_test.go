// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	digest := "sha256:0123456789ab" + strings.Repeat("c", 52)
	for reference, want := range map[string]string{
		"ghcr.io/acme/web:1":                       "acme-web-1",
		"docker.io/library/debian:bookworm":        "debian-bookworm",
		"docker.io/acme/library/x:1":               "acme-library-x-1",
		"docker.io/acme/web:1":                     "acme-web-1",
		"ghcr.io/acme/web@" + digest:               "acme-web-0123456789ab",
		"docker.io/library/debian@" + digest:       "debian-0123456789ab",
		"localhost:5000/x/y:z":                     "x-y-z",
		"localhost/x:1":                            "x-1",
		"127.0.0.1:5000/x:1":                       "x-1",
		"127.0.0.1:5000/library/x:latest":          "x-latest",
		"[::1]:5000/x:1":                           "x-1",
		"registry.example.org:443/a/b/c:v1.2-rc_3": "a-b-c-v1.2-rc_3",
		"acme/web:1":                               "acme-web-1",
		"debian:bookworm":                          "debian-bookworm",
		"app:1":                                    "app-1", // a layout and its tag
		"app":                                      "app",   // a layout without a name
		"my.layout":                                "my.layout",
	} {
		if got := Name(reference); got != want {
			t.Errorf("Name(%s) = %s, want %s", reference, got, want)
		}
	}
}
