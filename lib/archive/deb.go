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

// arMagic starts an archive of ar(5), which a Debian package is (deb(5)).
const arMagic = "!<arch>\n"

// headerSize is that of a member: a name in 16 bytes, time, owner, group and
// mode, the size in decimal digits from byte 48 to 58, and two bytes that end
// it. The data of a member starts at an even byte.
const headerSize = 60

// openDeb returns the part of a package that is unpacked when it is installed:
// the member called data.tar, with any suffix.
func openDeb(in *bufio.Reader) (io.Reader, error) {
	if _, err := in.Discard(len(arMagic)); err != nil {
		return nil, err
	}
	for {
		name, size, err := member(in)
		if err == io.EOF {
			return nil, errors.New("no data.tar in it")
		}
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(name, "data.tar") {
			return &exactly{in, size}, nil
		}
		if _, err := io.CopyN(io.Discard, in, size+size&1); err != nil {
			return nil, cut(err)
		}
	}
}

// member reads a member's header.
func member(in io.Reader) (name string, size int64, err error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(in, header); err != nil {
		return "", 0, err
	}
	name = strings.TrimRight(string(header[:16]), " /")
	size, err = strconv.ParseInt(strings.TrimRight(string(header[48:58]), " "), 10, 64)
	if err != nil || size < 0 || string(header[58:]) != "`\n" {
		return "", 0, fmt.Errorf("damaged header of member %q", name)
	}
	return name, size, nil
}

// exactly is a reader of so many bytes, and not one less.
type exactly struct {
	r    io.Reader
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	if e.left -= int64(n); e.left > 0 {
		err = cut(err)
	}
	return n, err
}

// cut makes an end that comes too early an error.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
