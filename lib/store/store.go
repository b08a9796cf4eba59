// SPDX-License-Identifier: Apache-2.0

// Package store manages published images and kernels. Each is a directory with
// its own record; there is no other database. A directory under its final name is
// complete.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"banger/lib/bundle"
	"banger/lib/stage"
	"banger/lib/status"
)

// A Store is banger's state directory.
type Store struct{ dir string }

// Open returns the store in a directory, which need not exist.
func Open(dir string) *Store { return &Store{dir} }

func (s *Store) images() string  { return filepath.Join(s.dir, "images") }
func (s *Store) kernels() string { return filepath.Join(s.dir, "kernels") }

// makeParent makes the parent directory of an image or a kernel.
func makeParent(dst string) error {
	err := os.MkdirAll(filepath.Dir(dst), 0o777)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", dst, err)
	if !errors.Is(err, fs.ErrPermission) {
		err = status.Errorf(status.Create, "%w", err)
	}
	return status.Hint(err, "set XDG_STATE_HOME to a directory that can be written")
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$`)

// CheckName refuses an invalid name of an image or kernel.
func CheckName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	return status.Hint(status.Errorf(status.Usage, "%q cannot be a name", name),
		"a name has at most 128 letters, digits and . _ + -, and begins with a letter or a digit")
}

// An Image is a published image.
type Image struct {
	Name string `json:"name"`
	Dir  string `json:"path"`
	*bundle.Record

	kernelDir string // "" for that of the image
}

// Image returns a published image.
func (s *Store) Image(name string) (*Image, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	dir := filepath.Join(s.images(), name)
	r, err := bundle.ReadRecord(filepath.Join(dir, bundle.RecordFile))
	if absent(err) {
		return nil, noImage(name)
	}
	if err == nil && r.Ext4 == nil {
		err = status.Errorf(status.Bad, "%s: no ext4 record", filepath.Join(dir, bundle.RecordFile))
	}
	return &Image{Name: name, Dir: dir, Record: r}, damaged(err, "image", name)
}

// damaged adds a hint to the error of a bad record.
func damaged(err error, what, name string) error {
	if status.Of(err) != status.Bad {
		return err
	}
	return status.Hint(err, "banger %s rm %s", what, name)
}

func noImage(name string) error {
	return status.Hint(status.Errorf(status.NoInput, "%s: no such image", name), "banger image list")
}

// absent reports whether an error means that a file does not exist, or that its
// parent is not a directory.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// Images lists the published images by name. It passes an error to skipped for
// each other entry of the directory.
func (s *Store) Images(skipped func(error)) ([]*Image, error) {
	return list(s.images(), s.Image, skipped)
}

// list reads each entry of a directory that is not temporary.
func list[T any](dir string, read func(name string) (T, error), skipped func(error)) ([]T, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []T
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if CheckName(e.Name()) != nil {
			skipped(status.Errorf(status.NoInput, "%s: not a valid name", path))
			continue
		}
		one, err := read(e.Name())
		if status.Of(err) == status.NoInput { // perhaps replaced while it was read
			one, err = read(e.Name())
		}
		switch {
		case err == nil:
			all = append(all, one)
		case status.Of(err) == status.NoInput && !exists(path):
			// removed meanwhile
		default:
			skipped(fmt.Errorf("%s: %w", path, err))
		}
	}
	return all, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Remove removes a published image, even one with a damaged record. It renames
// the image first, in one step.
func (s *Store) Remove(name string) error {
	image, err := s.Image(name)
	if image == nil {
		return err
	}
	if err = stage.Remove(image.Dir); absent(err) { // removed meanwhile
		return noImage(name)
	}
	return err
}
