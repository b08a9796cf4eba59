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

// ParseRef parses a layout reference. It looks for a digest from the right, then
// for a layout before each colon from the left. If there is none, the hint is the
// command that reads s.
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
				return r, status.Errorf(status.Usage, "%s: empty name after the colon", s)
			}
			return r, nil
		}
	}
	r.Dir = rest
	if !Is(rest) {
		return r, noLayout(s)
	}
	return r, nil
}

func noLayout(s string) error {
	const want, fetch = "an OCI image layout", "banger-fetch %s | banger-flatten"
	if err := checkSource(s, want, fetch); err != nil {
		return err
	}
	if isRegular(s) {
		return misplaced(s, "a file", want, readArchive(s, fetch))
	}
	err := status.Errorf(status.NoInput, "%s: not an OCI image layout", s)
	if isPath(s) || !referenceForm.MatchString(s) {
		return err
	}
	return status.Hint(err, fetch, s)
}

// Reference returns the name of an image: the reference it was fetched by, with
// the digest if it was fetched by digest. A bare tag is prefixed with the base
// name of the layout, as in app:1.
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
