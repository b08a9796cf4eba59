// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"regexp"
	"strings"

	"banger/lib/status"
)

// releases are what can be a release: it becomes the name of a directory.
var releases = regexp.MustCompile(`^[0-9][A-Za-z0-9._+~-]{0,63}$`)

// Release returns the kernel's release as uname -r would print it, from the
// header of a bzImage, else from what the kernel says when it boots.
func (f *File) Release() (string, error) {
	said, err := f.said()
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
func (f *File) said() (string, error) {
	if f.Format != BzImage {
		banner, err := f.Banner()
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

const (
	bannerStart = "Linux version "
	maxBanner   = 1024 // bytes
)

// Banner returns the line a kernel starts its log with: "Linux version", its
// release, who built it with what, and its version (init/version.c).
func (f *File) Banner() (string, error) {
	var banner string
	err := f.scan(bannerStart, func(r *bufio.Reader) bool {
		line, _ := r.Peek(maxBanner)
		line, _, _ = bytes.Cut(line, []byte{0})
		line, _, _ = bytes.Cut(line, []byte{'\n'})
		banner = string(line)
		// Not one of the formats that banners are printed by.
		return strings.Contains(banner, " (") && !strings.Contains(banner, "%s")
	})
	if err == nil && banner == "" {
		err = ErrNotKernel
	}
	return banner, err
}

// Config returns the configuration that a kernel has inside (CONFIG_IKCONFIG,
// kernel/configs.c), nil if it has none.
func (f *File) Config() (config []byte, err error) {
	var bad error
	err = f.scan("IKCFG_ST\x1f\x8b", func(r *bufio.Reader) bool {
		r.Discard(len("IKCFG_ST"))
		z, err := gzip.NewReader(r)
		if err == nil {
			z.Multistream(false)
			config, err = io.ReadAll(io.LimitReader(z, maxConfig))
		}
		bad = err
		return true
	})
	if err == nil && bad != nil {
		err = status.Errorf(status.Bad, "the configuration inside the kernel: %w", bad)
	}
	return config, err
}

// scan reads the kernel, uncompressed, and calls found at each place that holds
// a text, until it returns true.
func (f *File) scan(text string, found func(*bufio.Reader) bool) error {
	kernel, err := f.open()
	if err != nil {
		return err
	}
	defer kernel.Close()
	r := bufio.NewReaderSize(io.LimitReader(kernel, maxVmlinux), 1<<20)
	for {
		window, err := r.Peek(r.Size())
		if err != nil && err != io.EOF {
			return status.With(status.Bad, err)
		}
		if at := bytes.Index(window, []byte(text)); at >= 0 {
			r.Discard(at)
			if found(r) {
				return nil
			}
			r.Discard(1)
			continue
		}
		if err == io.EOF {
			return nil
		}
		r.Discard(len(window) - len(text)) // the text may have started
	}
}
