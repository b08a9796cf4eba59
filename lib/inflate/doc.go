// SPDX-License-Identifier: Apache-2.0

// Package inflate decodes gzip (RFC 1952) with deflate data (RFC 1951), without
// package unsafe.
//
// A Reader decodes into buffers of the caller and returns their contents without
// a copy, so that one goroutine can decode while another uses the data decoded
// before. It also implements io.Reader.
//
// From top to bottom, the package has: gzip.go and header.go for members,
// deflate.go for the blocks of a stream, codes.go for the codes of a block,
// huffman.go for the decoding tables, symbols.go to decode single symbols with
// bounds checks, fast.go to decode many without, input.go for the bit input, and
// buffer.go to copy matches.
//
// The data is not trusted. A stream may expand to 1032 times its size; callers
// must limit the output.
package inflate
