// SPDX-License-Identifier: Apache-2.0

// Package input opens and reads untrusted files. A document must be a regular
// file of limited size. Opening one never blocks: a FIFO or device is an error.
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

// MaxDocument limits the size of a JSON document, in bytes. It is what registries
// accept for a manifest or config. The documents that banger writes for an image
// are smaller than those of the image.
const MaxDocument = 4 << 20

// MaxValues limits the number of values in a document. A value of two bytes of
// text can take a hundred bytes of memory.
const MaxValues = 1 << 17

// Open opens a regular file for reading. It follows a symlink.
func Open(path string) (*os.File, error) { return open(path, 0) }

// OpenNoFollow opens a regular file for reading. It rejects a symlink.
func OpenNoFollow(path string) (*os.File, error) { return open(path, unix.O_NOFOLLOW) }

func open(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|flag, 0)
	switch {
	case errors.Is(err, unix.ELOOP) && flag&unix.O_NOFOLLOW != 0:
		return nil, status.Errorf(status.Bad, "%s: symlink, not a regular file", path)
	case errors.Is(err, unix.ENXIO): // a socket, or a device that does not exist
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

// ReadAll reads a regular file of at most limit bytes. It rejects a larger file
// without reading it.
func ReadAll(f *os.File, limit int64) ([]byte, error) {
	if err := CheckSize(f, limit); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit+1)) // the file may grow
	if err == nil && int64(len(raw)) > limit {
		err = tooLarge(f, limit)
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// ReadFile reads the regular file of at most limit bytes at a path.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadAll(f, limit)
}

// CheckSize rejects a file of more than limit bytes.
func CheckSize(f *os.File, limit int64) error {
	info, err := f.Stat()
	if err == nil && info.Size() > limit {
		err = tooLarge(f, limit)
	}
	return err
}

func tooLarge(f *os.File, limit int64) error {
	return status.Errorf(status.Bad, "%s: too large (limit %d bytes)", f.Name(), limit)
}

// Unmarshal decodes a JSON document of at most limit values. It counts commas:
// every value but the first of an array or object follows one.
func Unmarshal(raw []byte, into any, limit int) error {
	if commas := bytes.Count(raw, []byte(",")); commas > limit {
		return fmt.Errorf("too many values (limit %d)", limit)
	}
	return json.Unmarshal(raw, into)
}
