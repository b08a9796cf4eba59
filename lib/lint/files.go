// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"errors"
	"io/fs"
)

// maxText is how many bytes of a file of settings are read.
const maxText = 4 << 20

// text returns a text file of the image, nothing if there is none.
func (c *checker) text(path string) (string, error) {
	_, mode, err := c.root.Resolve(path)
	if missing(err) || err == nil && !mode.IsRegular() {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	text, err := c.root.ReadFile(path, maxText)
	return string(text), err
}

// names lists a directory of the image, empty if it does not exist.
func (c *checker) names(path string) ([]string, error) {
	all, err := c.root.Names(path)
	if missing(err) {
		return nil, nil
	}
	return all, err
}

// first returns the first path that is in the image, or "".
func (c *checker) first(paths ...string) (string, error) {
	for _, path := range paths {
		_, _, err := c.root.Resolve(path)
		if !missing(err) {
			return path, err
		}
	}
	return "", nil
}

// missing reports whether an error means that nothing is at a path, and not that it
// cannot be read.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
