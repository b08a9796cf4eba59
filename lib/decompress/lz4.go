// SPDX-License-Identifier: Apache-2.0

package decompress

import (
	"bufio"
	"errors"
	"io"

	"github.com/pierrec/lz4/v4"
)

// legacyMagic starts lz4's older form, and may be repeated in it, where files
// were joined.
const legacyMagic = "\x02\x21\x4c\x18"

// maxJoined bounds how often it may follow itself: that many files of nothing,
// joined. In data no encoder repeats it that often, but refers to the first.
const maxJoined = 1 << 10

// lz4Format is lz4's frame, or the older form without an end that kernels
// still have.
var lz4Format = format{isLZ4, func(r *bufio.Reader) (io.ReadCloser, error) {
	// Read alone: its WriteTo ends with io.EOF, which is no error.
	return io.NopCloser(struct{ io.Reader }{lz4.NewReader(&joined{r: r})}), nil
}}

func isLZ4(magic []byte) bool {
	return starts("\x04\x22\x4d\x18")(magic) || starts(legacyMagic)(magic)
}

var errJoined = errors.New("lz4: too many frames of nothing")

// joined refuses a magic that follows itself without end: for each, the
// decoder calls itself, until the stack's limit ends the program.
type joined struct {
	r   io.Reader
	run int // bytes of repeated magics, up to the last that was read
}

func (j *joined) Read(p []byte) (int, error) {
	n, err := j.r.Read(p)
	for _, c := range p[:n] {
		switch c {
		case legacyMagic[j.run%len(legacyMagic)]:
			j.run++
		case legacyMagic[0]:
			j.run = 1
		default:
			j.run = 0
		}
		if j.run > maxJoined*len(legacyMagic) {
			return 0, errJoined
		}
	}
	return n, err
}
