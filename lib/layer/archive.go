// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"
)

// blockSize is the unit of tar, in bytes.
const blockSize = 512

// An archive is a tar.Reader that knows two things which Go's does not: that
// an archive must not end behind an extended header, and that a hard link may
// have data.
type archive struct {
	*tar.Reader
	in *bufio.Reader // which tar.Reader reads block by block, never ahead
	at *position     // of in, with what it has read ahead
}

func newArchive(r io.Reader) *archive {
	at := &position{r: r}
	in := bufio.NewReaderSize(at, 64<<10)
	return &archive{Reader: tar.NewReader(in), in: in, at: at}
}

// next returns the next entry; io.EOF comes only where an archive may end.
func (a *archive) next() (*tar.Header, error) {
	// The rest of the file before, so that what follows is padding, then a header.
	if _, err := io.Copy(io.Discard, a.Reader); err != nil {
		return nil, err
	}
	extended := a.extended()
	h, err := a.Next()
	if err == io.EOF && extended {
		return nil, io.ErrUnexpectedEOF
	}
	if err == nil && h.Typeflag == tar.TypeLink && h.Size > 0 {
		err = a.skipLinkData(h.Size)
	}
	return h, err
}

// extended looks ahead, past padding, whether the next header only prepares
// for another: pax's x, GNU's L and K.
func (a *archive) extended() bool {
	padding := int(-(a.at.n - int64(a.in.Buffered())) & (blockSize - 1))
	ahead, err := a.in.Peek(padding + blockSize)
	return err == nil && strings.IndexByte("xLK", ahead[padding+156]) >= 0 && isHeader(ahead[padding:])
}

// position counts what is read.
type position struct {
	r io.Reader
	n int64
}

func (p *position) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	return n, err
}

// skipLinkData passes over the data of a hard link. Most archivers write a
// size and no data: then what follows is a header, or the end.
func (a *archive) skipLinkData(size int64) error {
	ahead, err := a.in.Peek(blockSize)
	if err != nil || isHeader(ahead) || bytes.Count(ahead, []byte{0}) == blockSize {
		return nil // an error comes again where the header is read
	}
	_, err = io.CopyN(io.Discard, a.in, (size+blockSize-1)/blockSize*blockSize)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// isHeader tells a header by its checksum: the sum of its bytes, those of the
// checksum itself taken as spaces.
func isHeader(block []byte) bool {
	said, err := strconv.ParseInt(strings.Trim(string(block[148:156]), " \x00"), 8, 64)
	if err != nil {
		return false
	}
	sum := int64(8 * ' ')
	for i, c := range block[:blockSize] {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	return said == sum
}
