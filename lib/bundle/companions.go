// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"banger/lib/ext4"
	"banger/lib/stage"
	"banger/lib/status"
)

// The companions of an ext4 file tell what it is: FILE.json how it was made,
// and, outside a bundle, image.json and config.json what image it holds. They
// are there before the file is.
type companions struct {
	dst     string
	of      string // the bundle to copy image.json and config.json from, or ""
	replace bool
	made    []string
}

// documents are copied in this order, and removed in the other.
var documents = []string{RecordFile, ConfigFile}

func (c *companions) beside(name string) string { return filepath.Join(filepath.Dir(c.dst), name) }

// check refuses to overwrite what banger did not make, and the documents of
// another image. Those that no ext4 file beside them is of, a killed run left.
func (c *companions) check() error {
	if _, err := readExt4Record(c.dst + Ext4Record); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unread(c.dst+Ext4Record, err)
	}
	for _, name := range documents {
		if c.of == "" {
			break
		}
		there, err := ReadDocument(c.beside(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return unread(c.beside(name), err)
		}
		raw, err := ReadDocument(filepath.Join(c.of, name))
		if err != nil {
			return err
		}
		if bytes.Equal(there, raw) {
			continue
		}
		r, err := ReadRecord(c.beside(RecordFile))
		if err != nil || isBundle(filepath.Dir(c.dst)) {
			return notOurs(c.beside(name))
		}
		if !c.replace && c.claimed(r.Digest) {
			return status.Hint(status.Errorf(status.Create, "%s: exists, of another image", c.beside(name)),
				"another directory, or -f to replace it")
		}
	}
	return nil
}

// unread is the error of a file that could not be read as one of banger's: the
// host's, or that it is none.
func unread(path string, err error) error {
	if host := (*fs.PathError)(nil); errors.As(err, &host) {
		return err
	}
	return notOurs(path)
}

func notOurs(path string) error {
	return status.Hint(status.Errorf(status.Create, "%s: exists, not made by banger", path), "move it away")
}

// claimed tells whether another ext4 file in the directory is of an image.
func (c *companions) claimed(image digest.Digest) bool {
	names, _ := os.ReadDir(filepath.Dir(c.dst))
	for _, e := range names {
		name, is := strings.CutSuffix(e.Name(), Ext4Record)
		if !is {
			continue
		}
		file := c.beside(name)
		r, err := readExt4Record(file + Ext4Record)
		if _, statErr := os.Lstat(file); err == nil && statErr == nil && r.Image == image && file != filepath.Clean(c.dst) {
			return true
		}
	}
	return false
}

// readExt4Record reads a FILE.json, and nothing that only looks like one.
func readExt4Record(path string) (*Ext4, error) {
	raw, err := ReadDocument(path)
	if err != nil {
		return nil, err
	}
	r, d := new(Ext4), json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil || r.Size == 0 || r.UUID == "" {
		return nil, errors.Join(err, errors.New("not the record of an ext4 file"))
	}
	return r, nil
}

// write puts the companions of the file that is staged at path in their place.
// Those that were not there go again when one cannot be made.
func (c *companions) write(path string, s *Source, o Ext4Options) error {
	made, err := describe(path)
	if err != nil {
		return err
	}
	made.Making = o.making()
	if s.Record != nil {
		made.Image = s.Record.Digest
		made.Manifest = digest.NewDigestFromBytes(digest.SHA256, s.manifest[:])
	}
	raw, err := marshal(made)
	if err == nil {
		err = c.put(c.dst+Ext4Record, raw)
	}
	for _, name := range documents {
		if c.of == "" || err != nil {
			break
		}
		if raw, err = ReadDocument(filepath.Join(c.of, name)); err == nil {
			err = c.put(c.beside(name), raw)
		}
	}
	if err != nil {
		c.remove()
	}
	return err
}

// put makes or replaces a companion in one step.
func (c *companions) put(dst string, raw []byte) error {
	if there, err := ReadDocument(dst); err == nil && bytes.Equal(there, raw) {
		return nil
	} else if errors.Is(err, fs.ErrNotExist) {
		c.made = append(c.made, dst)
	}
	st, err := stage.NewFile(dst, stage.Options{Replaces: func(string) bool { return true }}) // see check
	if err != nil {
		return err
	}
	defer st.Discard()
	if err := os.WriteFile(st.Path, raw, 0o666); err != nil {
		return err
	}
	return st.Commit()
}

// remove takes back the companions that were made.
func (c *companions) remove() {
	for i := len(c.made) - 1; i >= 0; i-- {
		os.Remove(c.made[i])
	}
}

// describe reads what an ext4 file says of itself.
func describe(path string) (*Ext4, error) {
	m, err := ext4.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return Describe(m), nil
}

// Describe returns what the record of an ext4 file takes from the file.
func Describe(m *ext4.Image) *Ext4 {
	return &Ext4{Size: m.Size(), FreeBytes: m.FreeBytes(), FreeInodes: m.FreeInodes(), UUID: m.UUID()}
}
