// SPDX-License-Identifier: Apache-2.0

package decompress

import (
	"bufio"
	"errors"
	"io"

	"github.com/pierrec/lz4/v4"
)

// legacyMagic starts a legacy lz4 frame. It occurs again within a stream of
// concatenated files.
const legacyMagic = "\x02\x21\x4c\x18"

// maxEmptyFrames limits how often legacyMagic may follow itself, as in
// concatenated empty files. In compressed data no encoder repeats it that often.
const maxEmptyFrames = 1 << 10

// lz4Format is the lz4 frame format, or the legacy format without an end mark,
// which kernels use.
var lz4Format = format{isLZ4, func(r *bufio.Reader) (io.ReadCloser, error) {
	// Hide WriteTo, which returns io.EOF as an error.
	return io.NopCloser(struct{ io.Reader }{lz4.NewReader(&frameLimiter{r: r})}), nil
}}

func isLZ4(magic []byte) bool {
	return hasPrefix("\x04\x22\x4d\x18")(magic) || hasPrefix(legacyMagic)(magic)
}

var errEmptyFrames = errors.New("lz4: too many empty frames")

// A frameLimiter rejects too many empty legacy frames. The decoder recurses for
// each, until a stack overflow ends the program.
type frameLimiter struct {
	r   io.Reader
	run int // bytes of repeated magics at the end of the data read
}

func (l *frameLimiter) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for _, c := range p[:n] {
		switch c {
		case legacyMagic[l.run%len(legacyMagic)]:
			l.run++
		case legacyMagic[0]:
			l.run = 1
		default:
			l.run = 0
		}
		if l.run > maxEmptyFrames*len(legacyMagic) {
			return 0, errEmptyFrames
		}
	}
	return n, err
}
