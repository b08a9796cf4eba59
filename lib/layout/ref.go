// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"banger/lib/status"
)

// A Ref names an image in a layout: DIR, DIR:NAME, DIR@DIGEST or
// DIR:NAME@DIGEST.
type Ref struct {
	Dir    string
	Name   string        // the org.opencontainers.image.ref.name annotation, or ""
	Digest digest.Digest // of the image's manifest, or ""
}

func (r Ref) String() string {
	s := r.Dir
	if r.Name != "" {
		s += ":" + r.Name
	}
	if r.Digest != "" {
		s += "@" + string(r.Digest)
	}
	return s
}

// ParseRef takes a layout reference apart. A digest is looked for from the
// right; then each colon from the left, until what precedes it is a layout.
func ParseRef(s string) (Ref, error) {
	var r Ref
	rest := s
	for _, algorithm := range []string{"@sha256:", "@sha512:"} {
		if at := strings.LastIndex(rest, algorithm); at >= 0 && r.Digest == "" {
			r.Digest, rest = digest.Digest(rest[at+1:]), rest[:at]
			if err := r.Digest.Validate(); err != nil {
				return r, status.Errorf(status.Usage, "%s: %w", s, err)
			}
		}
	}
	for at := 0; at < len(rest); at++ {
		if rest[at] == ':' && Is(rest[:at]) {
			r.Dir, r.Name = rest[:at], rest[at+1:]
			if r.Name == "" {
				return r, status.Errorf(status.Usage, "%s: a colon and no name", s)
			}
			return r, nil
		}
	}
	r.Dir = rest
	if !Is(rest) {
		return r, status.Hint(status.Errorf(status.NoInput, "%s: no OCI image layout there", s),
			"banger-fetch REF makes one of an image in a registry")
	}
	return r, nil
}

// Reference returns what to call the image: the name it was fetched by, with
// the digest where it was fetched by that. A bare tag goes with its layout's
// directory, as in app:1.
func (r Ref) Reference(image digest.Digest) string {
	switch base := filepath.Base(absolute(r.Dir)); {
	case r.Name == "":
		return base
	case !strings.ContainsAny(r.Name, "/:"):
		return base + ":" + r.Name
	case !strings.Contains(r.Name[strings.LastIndex(r.Name, "/")+1:], ":"):
		return r.Name + "@" + string(image)
	}
	return r.Name
}

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
