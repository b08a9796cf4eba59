// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"

	"banger/lib/status"
)

// releases matches a valid release, which becomes the name of a directory.
var releases = regexp.MustCompile(`^[0-9][A-Za-z0-9._+~-]{0,63}$`)

// Release returns the kernel's release as uname -r prints it, from the header of
// a bzImage or from the banner of any other kernel.
func (f *File) Release(ctx context.Context) (string, error) {
	version, err := f.version(ctx)
	if err != nil {
		return "", err
	}
	release, _, _ := strings.Cut(version, " ")
	if !releases.MatchString(release) {
		return "", status.Errorf(status.Bad, "invalid kernel release %q", release)
	}
	return release, nil
}

// version returns text that starts with the release.
func (f *File) version(ctx context.Context) (string, error) {
	if f.Format != BzImage {
		banner, err := f.Banner(ctx)
		return strings.TrimPrefix(banner, bannerStart), err
	}
	var field [2]byte
	if _, err := f.raw.ReadAt(field[:], 0x20e); err != nil {
		return "", err
	}
	text := make([]byte, 256)
	n, err := f.raw.ReadAt(text, int64(le.Uint16(field[:]))+0x200)
	if err != nil && err != io.EOF {
		return "", err
	}
	text, _, _ = bytes.Cut(text[:n], []byte{0})
	return string(text), nil
}

const bannerStart = "Linux version "

// Banner returns the first line of the kernel's log: "Linux version", the release,
// the builder, the compiler and the version (init/version.c).
func (f *File) Banner(ctx context.Context) (string, error) {
	var banner string
	err := f.scan(ctx, bannerStart, isBanner, func(r *bufio.Reader) error {
		text, _ := r.Peek(maxText)
		banner = string(line(text))
		return nil
	})
	if err == nil && banner == "" {
		err = ErrNotKernel
	}
	return banner, err
}

// isBanner reports whether text is a banner and not a format string of one.
func isBanner(text []byte) bool {
	text = line(text)
	return bytes.Contains(text, []byte(" (")) && !bytes.Contains(text, []byte("%s"))
}

// line returns text up to its first NUL or newline.
func line(text []byte) []byte {
	text, _, _ = bytes.Cut(text, []byte{0})
	text, _, _ = bytes.Cut(text, []byte{'\n'})
	return text
}
