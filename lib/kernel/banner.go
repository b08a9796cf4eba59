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

// releases are what can be a release: it becomes the name of a directory.
var releases = regexp.MustCompile(`^[0-9][A-Za-z0-9._+~-]{0,63}$`)

// Release returns the kernel's release as uname -r would print it, from the
// header of a bzImage, else from what the kernel says when it boots.
func (f *File) Release(ctx context.Context) (string, error) {
	said, err := f.said(ctx)
	if err != nil {
		return "", err
	}
	release, _, _ := strings.Cut(said, " ")
	if !releases.MatchString(release) {
		return "", status.Errorf(status.Bad, "the kernel's release is %q", release)
	}
	return release, nil
}

// said is a text that starts with the release.
func (f *File) said(ctx context.Context) (string, error) {
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

// Banner returns the line a kernel starts its log with: "Linux version", its
// release, who built it with what, and its version (init/version.c).
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

// isBanner tells a banner from the formats that banners are printed by.
func isBanner(text []byte) bool {
	text = line(text)
	return bytes.Contains(text, []byte(" (")) && !bytes.Contains(text, []byte("%s"))
}

// line is a text up to its first end.
func line(text []byte) []byte {
	text, _, _ = bytes.Cut(text, []byte{0})
	text, _, _ = bytes.Cut(text, []byte{'\n'})
	return text
}
