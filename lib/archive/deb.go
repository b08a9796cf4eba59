// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// arMagic starts an ar(5) archive, the format of Debian packages (deb(5)).
const arMagic = "!<arch>\n"

// headerSize is the size of a member header: a name of 16 bytes, time, owner,
// group and mode, the size in decimal at bytes 48 to 57, and a trailer of two
// bytes. The data of a member starts at an even offset.
const headerSize = 60

// openDeb returns the member of a package with the files to install: data.tar,
// with any suffix.
func openDeb(in *bufio.Reader) (io.Reader, error) {
	if _, err := in.Discard(len(arMagic)); err != nil {
		return nil, err
	}
	for {
		name, size, err := member(in)
		if err == io.EOF {
			return nil, errors.New("no data.tar")
		}
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(name, "data.tar") {
			return &exactReader{in, size}, nil
		}
		if _, err := io.CopyN(io.Discard, in, size+size&1); err != nil {
			return nil, unexpectedEOF(err)
		}
	}
}

// member reads the header of a member.
func member(in io.Reader) (name string, size int64, err error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(in, header); err != nil {
		return "", 0, err
	}
	name = strings.TrimRight(string(header[:16]), " /")
	size, err = strconv.ParseInt(strings.TrimRight(string(header[48:58]), " "), 10, 64)
	if err != nil || size < 0 || string(header[58:]) != "`\n" {
		return "", 0, fmt.Errorf("invalid header of member %q", name)
	}
	return name, size, nil
}

// An exactReader reads left bytes of r. An earlier end is an error.
type exactReader struct {
	r    io.Reader
	left int64
}

func (e *exactReader) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	if e.left -= int64(n); e.left > 0 {
		err = unexpectedEOF(err)
	}
	return n, err
}

// unexpectedEOF turns io.EOF into io.ErrUnexpectedEOF.
func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
