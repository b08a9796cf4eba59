// SPDX-License-Identifier: Apache-2.0

// Package store keeps published images and kernels, each a directory that
// holds its own record. A directory that has its name is whole; there is no
// database beside it that could disagree.
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

// Open returns the store in a directory, which need not be there yet.
func Open(dir string) *Store { return &Store{dir} }

func (s *Store) images() string  { return filepath.Join(s.dir, "images") }
func (s *Store) kernels() string { return filepath.Join(s.dir, "kernels") }

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$`)

// CheckName refuses what cannot be the name of an image or kernel.
func CheckName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	return status.Hint(status.Errorf(status.Usage, "%q cannot be a name", name),
		"128 at most of letters, digits, and . _ + - after the first of them")
}

// An Image is one that is published.
type Image struct {
	Name string `json:"name"`
	Dir  string `json:"path"`
	*bundle.Record
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
		err = status.Errorf(status.Bad, "%s: says nothing of its ext4 file", filepath.Join(dir, bundle.RecordFile))
	}
	return &Image{name, dir, r}, damaged(err, "image", name)
}

// damaged adds to the error of a record that cannot be used what to do about it.
func damaged(err error, what, name string) error {
	if status.Of(err) != status.Bad {
		return err
	}
	return status.Hint(err, "banger %s rm %s removes it", what, name)
}

func noImage(name string) error {
	return status.Hint(status.Errorf(status.NoInput, "%s: no such image", name), "banger image list")
}

// absent reports whether an error says that a file is not there, or that what
// should be its directory is something else.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// Images lists what is published, by name. What is in the directory and no
// image is passed to skipped.
func (s *Store) Images(skipped func(error)) ([]*Image, error) {
	return list(s.images(), s.Image, skipped)
}

// list reads what has a name in a directory.
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
			skipped(status.Errorf(status.NoInput, "%s: no name of banger's", path))
			continue
		}
		one, err := read(e.Name())
		if status.Of(err) == status.NoInput { // replaced while it was read, perhaps
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

// Remove removes a published image, one with a damaged record too. Its name
// goes first, in one step.
func (s *Store) Remove(name string) error {
	image, err := s.Image(name)
	if image == nil {
		return err
	}
	if err = stage.Remove(image.Dir); absent(err) { // another was faster
		return noImage(name)
	}
	return err
}
