// SPDX-License-Identifier: Apache-2.0

// Package decompress undoes compression, whatever it was, going by the first
// bytes: names and media types are not believed.
package decompress

import (
	"bufio"
	"compress/bzip2"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

// maxWindow bounds the memory, in bytes, that a stream may ask for: what
// zstd --long=27 needs, and twice what xz -9 does.
const maxWindow = 128 << 20

// A format is one kind of compression.
type format struct {
	is   func(magic []byte) bool
	open func(r *bufio.Reader) (io.ReadCloser, error)
}

// Formats are the kinds of compression that are undone.
type Formats []format

// The kinds that OCI's layers may have, and all that there are: those of
// packages, of kernels and of their modules.
var (
	OCI = Formats{gzipFormat, zstdFormat}
	All = Formats{gzipFormat, zstdFormat, xzFormat, lz4Format, bzip2Format}
)

// Reader returns what r holds uncompressed. What has none of the formats is
// passed on as it is. The caller closes it.
func (f Formats) Reader(r io.Reader) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic, err := in.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	for _, format := range f {
		if format.is(magic) {
			return format.open(in)
		}
	}
	return io.NopCloser(in), nil
}

// starts returns a test for a fixed magic.
func starts(magic string) func([]byte) bool {
	return func(b []byte) bool { return len(b) >= len(magic) && string(b[:len(magic)]) == magic }
}

var gzipFormat = format{starts("\x1f\x8b"), func(r *bufio.Reader) (io.ReadCloser, error) {
	return newAhead(r), nil
}}

var zstdFormat = format{isZstd, func(r *bufio.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}}

// isZstd tells a zstd frame, or a skippable one (RFC 8878, 3.1).
func isZstd(magic []byte) bool {
	if len(magic) < 4 {
		return false
	}
	m := binary.LittleEndian.Uint32(magic)
	return m == 0xfd2fb528 || m&^0xf == 0x184d2a50
}

var xzFormat = format{starts("\xfd7zXZ\x00"), func(r *bufio.Reader) (io.ReadCloser, error) {
	x, err := xz.NewReader(r, maxWindow)
	return io.NopCloser(x), err
}}

var bzip2Format = format{starts("BZh"), func(r *bufio.Reader) (io.ReadCloser, error) {
	return io.NopCloser(bzip2.NewReader(r)), nil
}}
