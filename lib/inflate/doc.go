// SPDX-License-Identifier: Apache-2.0

// Package inflate decodes gzip, at the speed of the best decoders in C and
// without unsafe: RFC 1952 for the members, RFC 1951 for the deflate data in
// them.
//
// A Reader decodes into buffers of its caller's, and hands out their contents
// without a copy, so that one goroutine can decode while another works on what
// was decoded before. It also is an io.Reader.
//
// To read the package from top to bottom: gzip.go and header.go have members;
// deflate.go the blocks of a stream; codes.go the codes that a block is written
// in, and huffman.go the tables that decode them; symbols.go decodes one symbol
// after the other with care, fast.go many of them without. Below are input.go,
// the source of bits, and buffer.go, where matches are copied.
//
// The data is not trusted. What a stream may expand to, 1032 times its size, is
// for the caller to limit.
package inflate
