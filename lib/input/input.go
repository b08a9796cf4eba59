// SPDX-License-Identifier: Apache-2.0

// Package input opens and reads what somebody else may have put there. A
// document is a regular file of a limited length. Opening never waits: a FIFO
// or a device in the place of a document is an error.
package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// MaxDocument is how long a JSON document may be, in bytes: what registries
// accept as a manifest or a config. What banger writes about an image is
// shorter than the image's own documents.
const MaxDocument = 4 << 20

// MaxValues is how many values a document may hold. Some take two bytes of text
// and a hundred of memory.
const MaxValues = 1 << 17

// Open opens a regular file for reading. A symlink is followed.
func Open(path string) (*os.File, error) { return open(path, 0) }

// OpenNoFollow opens a regular file for reading, and refuses a symlink.
func OpenNoFollow(path string) (*os.File, error) { return open(path, unix.O_NOFOLLOW) }

func open(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|flag, 0)
	switch {
	case errors.Is(err, unix.ELOOP) && flag&unix.O_NOFOLLOW != 0:
		return nil, status.Errorf(status.Bad, "%s: a symlink, not a regular file", path)
	case errors.Is(err, unix.ENXIO): // a socket, or a device that is not there
		return nil, notRegular(path)
	case err != nil:
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = notRegular(path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func notRegular(path string) error {
	return status.Errorf(status.Bad, "%s: not a regular file", path)
}

// ReadAll reads a regular file of at most so many bytes. One that is longer is
// not read at all.
func ReadAll(f *os.File, most int64) ([]byte, error) {
	if err := CheckSize(f, most); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, most+1)) // it may grow
	if err == nil && int64(len(raw)) > most {
		err = tooLong(f, most)
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// CheckSize refuses a file of more than so many bytes.
func CheckSize(f *os.File, most int64) error {
	info, err := f.Stat()
	if err == nil && info.Size() > most {
		err = tooLong(f, most)
	}
	return err
}

func tooLong(f *os.File, most int64) error {
	return status.Errorf(status.Bad, "%s: more than %d bytes", f.Name(), most)
}

// Unmarshal decodes a JSON document of at most so many values. Each value has a
// comma before it, or is the first of a list or an object.
func Unmarshal(raw []byte, into any, most int) error {
	if commas := bytes.Count(raw, []byte(",")); commas > most {
		return fmt.Errorf("a document of more than %d values", most)
	}
	return json.Unmarshal(raw, into)
}
