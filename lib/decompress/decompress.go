// SPDX-License-Identifier: Apache-2.0

// Package decompress detects compressed data by its magic number and decompresses
// it. File names and media types are ignored.
package decompress

import (
	"bufio"
	"compress/bzip2"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

// maxWindow limits the window of a stream, in bytes: what zstd --long=27 needs,
// and twice what xz -9 does.
const maxWindow = 128 << 20

// A format is a compression format.
type format struct {
	match func(magic []byte) bool
	open  func(r *bufio.Reader) (io.ReadCloser, error)
}

// Formats is a set of compression formats.
type Formats []format

// OCI has the formats of layers; All also those of packages, kernels and kernel
// modules.
var (
	OCI = Formats{gzipFormat, zstdFormat}
	All = Formats{gzipFormat, zstdFormat, xzFormat, lz4Format, bzip2Format}
)

// Reader returns a reader of the decompressed data in r. Data in none of the
// formats is returned unchanged. The caller must close the reader.
func (f Formats) Reader(r io.Reader) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic, err := in.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	for _, format := range f {
		if format.match(magic) {
			return format.open(in)
		}
	}
	return io.NopCloser(in), nil
}

// hasPrefix returns a match function for a fixed magic number.
func hasPrefix(magic string) func([]byte) bool {
	return func(b []byte) bool { return len(b) >= len(magic) && string(b[:len(magic)]) == magic }
}

var gzipFormat = format{hasPrefix("\x1f\x8b"), func(r *bufio.Reader) (io.ReadCloser, error) {
	return newAhead(r), nil
}}

var zstdFormat = format{isZstd, func(r *bufio.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}}

// isZstd matches a zstd frame or a skippable frame (RFC 8878, 3.1).
func isZstd(magic []byte) bool {
	if len(magic) < 4 {
		return false
	}
	m := binary.LittleEndian.Uint32(magic)
	return m == 0xfd2fb528 || m&^0xf == 0x184d2a50
}

var xzFormat = format{hasPrefix("\xfd7zXZ\x00"), func(r *bufio.Reader) (io.ReadCloser, error) {
	x, err := xz.NewReader(r, maxWindow)
	return io.NopCloser(x), err
}}

var bzip2Format = format{hasPrefix("BZh"), func(r *bufio.Reader) (io.ReadCloser, error) {
	return io.NopCloser(bzip2.NewReader(r)), nil
}}
