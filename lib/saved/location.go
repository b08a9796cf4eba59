// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"

	"banger/lib/layout"
	"banger/lib/status"
)

// stdin is the reference of an archive on standard input. stdinFile means it too: to
// open that anew may not be allowed, or would start at another position.
const (
	stdin     = "-"
	stdinFile = "/dev/stdin"
)

// A location is a reference in parts.
type location struct {
	prefix   string // of the reference, up to the path, "" for stdin
	isLayout bool
	path     string // of a directory or a file, "" for standard input
	name     string // of the image, or ""
	digest   digest.Digest
}

// Is reports whether a reference names a saved image rather than one in a registry.
func Is(reference string) bool {
	return reference == stdin || archivePrefix(reference) != "" || strings.HasPrefix(reference, "oci:")
}

func archivePrefix(reference string) string {
	for _, prefix := range []string{"oci-archive:", "docker-archive:"} {
		if strings.HasPrefix(reference, prefix) {
			return prefix
		}
	}
	return ""
}

func parse(reference string) (location, error) {
	if reference == stdin {
		return location{}, nil
	}
	if prefix := archivePrefix(reference); prefix != "" {
		return parseArchive(prefix, strings.TrimPrefix(reference, prefix))
	}
	const prefix = "oci:"
	ref, err := layout.ParseRef(strings.TrimPrefix(reference, prefix))
	return location{prefix, true, ref.Dir, ref.Name, ref.Digest}, err
}

// parseArchive looks for a digest from the right, then for a file before each colon
// from the left. A path may contain a colon.
func parseArchive(prefix, rest string) (location, error) {
	at := location{prefix: prefix}
	if i := strings.LastIndex(rest, "@sha"); i >= 0 {
		if d := digest.Digest(rest[i+1:]); d.Validate() == nil {
			at.digest, rest = d, rest[:i]
		}
	}
	ends := []int{len(rest)}
	for i := range len(rest) {
		if rest[i] == ':' {
			ends = append(ends, i)
		}
	}
	for _, end := range ends {
		info, err := os.Stat(rest[:end])
		switch {
		case err != nil:
		case info.IsDir():
			return at, isDirectory(rest[:end])
		default:
			if at.path = rest[:end]; at.path == stdinFile {
				at.path = ""
			}
			at.name = strings.TrimPrefix(rest[end:], ":")
			return at, nil
		}
	}
	_, err := os.Stat(rest)
	if errors.Is(err, fs.ErrNotExist) {
		err = status.Errorf(status.NoInput, "%s: no such file", rest)
	}
	return at, err
}

func isDirectory(path string) error {
	err := status.Errorf(status.Usage, "%s: a directory, not an archive", path)
	if layout.Is(path) {
		return status.Hint(err, "banger-fetch oci:%s", path)
	}
	return err
}

// suffixes are those of the names of archives.
var suffixes = regexp.MustCompile(`(\.oci)?(\.tar)?(\.gz|\.tgz|\.zst|\.xz|\.bz2)?$`)

// unusual matches what a repository name does not contain.
var unusual = regexp.MustCompile(`[^a-z0-9._-]+`)

// local returns the reference of an image that has no name, or only a tag. It is
// called after the directory or the file, in the registry "localhost", as podman
// does.
func (at location) local(tag string) string {
	base := "image"
	if abs, err := filepath.Abs(at.path); err == nil && at.path != "" {
		base = filepath.Base(abs)
	}
	if !at.isLayout {
		base = suffixes.ReplaceAllString(base, "")
	}
	base = strings.Trim(unusual.ReplaceAllString(strings.ToLower(base), "-"), "._-")
	if base == "" {
		base = "image"
	}
	if tag != "" {
		tag = ":" + tag
	}
	return "localhost/" + base + tag
}

// with returns the reference of an image in the same place.
func (at location) with(name string) string {
	if at.path == "" {
		return "docker-archive:" + stdinFile + name
	}
	return at.prefix + at.path + name
}
