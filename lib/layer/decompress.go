// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/readahead"
)

// maxWindow bounds the memory a zstd frame may ask for: zstd --long=27.
const maxWindow = 128 << 20

// Decompress returns what a blob holds uncompressed: gzip, zstd or plain, as
// its first bytes say. The caller closes it.
func Decompress(blob io.Reader) (io.ReadCloser, error) {
	r := bufio.NewReaderSize(blob, 256<<10)
	magic, err := r.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		// Inflated beside what is done with it, on another processor.
		return readahead.NewReadCloserSize(z, 4, 256<<10)
	case isZstd(magic):
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

// isZstd tells a zstd frame, or a skippable one (RFC 8878, 3.1).
func isZstd(magic []byte) bool {
	if len(magic) < 4 {
		return false
	}
	m := binary.LittleEndian.Uint32(magic)
	return m == 0xfd2fb528 || m&^0xf == 0x184d2a50
}
