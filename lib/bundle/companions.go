// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/ext4"
	"banger/lib/stage"
	"banger/lib/status"
)

// The companions of an ext4 file tell what it is: FILE.json how it was made,
// and, outside a bundle, image.json and config.json what image it holds. They
// are there before the file is. So what a killed run leaves is companions
// without a file, and FILE.json tells whose they are.
type companions struct {
	dst     string
	of      string // the bundle to copy image.json and config.json from, or ""
	replace bool
	made    []string
}

// documents are copied in this order, and removed in the other.
var documents = []string{RecordFile, ConfigFile}

func (c *companions) beside(name string) string { return filepath.Join(filepath.Dir(c.dst), name) }

// check refuses to overwrite the documents of another image, unless its file
// never came.
func (c *companions) check() error {
	var made Ext4
	if err := ReadJSON(c.dst+Ext4Record, &made); err == nil && made.UUID == "" || status.Of(err) == status.Bad {
		return notOurs(c.dst + Ext4Record)
	}
	if c.of == "" {
		return nil
	}
	if c.abandoned() {
		for i := len(documents) - 1; i >= 0; i-- {
			if err := os.Remove(c.beside(documents[i])); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	for _, name := range documents {
		there, err := os.ReadFile(c.beside(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if _, err := ReadRecord(c.beside(RecordFile)); err != nil {
			return notOurs(c.beside(name))
		}
		if c.replace {
			continue
		}
		raw, readErr := os.ReadFile(filepath.Join(c.of, name))
		if err := errors.Join(err, readErr); err != nil {
			return err
		}
		if !bytes.Equal(there, raw) {
			return status.Hint(status.Errorf(status.Create, "%s: exists, of another image", c.beside(name)),
				"another directory, or -f to replace it")
		}
	}
	return nil
}

func notOurs(path string) error {
	return status.Hint(status.Errorf(status.Create, "%s: exists, not made by banger", path), "move it away")
}

// abandoned tells documents that a killed run has left.
func (c *companions) abandoned() bool {
	if _, err := os.Lstat(c.dst); err == nil {
		return false
	}
	var made Ext4
	if ReadJSON(c.dst+Ext4Record, &made) != nil {
		return false
	}
	r, err := ReadRecord(c.beside(RecordFile))
	return err == nil && r.Digest == made.Image
}

// write puts the companions of the file that is staged at path in their place.
// Those that were not there go again when one cannot be made.
func (c *companions) write(path string, r *Record, mkfs string) error {
	made, err := describe(path)
	if err != nil {
		return err
	}
	made.Mkfs = mkfs
	if r != nil {
		made.Image = r.Digest
	}
	raw, err := marshal(made)
	if err == nil {
		err = c.put(c.dst+Ext4Record, raw)
	}
	for _, name := range documents {
		if c.of == "" || err != nil {
			break
		}
		if raw, err = os.ReadFile(filepath.Join(c.of, name)); err == nil {
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
	if there, err := os.ReadFile(dst); err == nil && bytes.Equal(there, raw) {
		return nil
	} else if errors.Is(err, fs.ErrNotExist) {
		c.made = append(c.made, dst)
	}
	st, err := stage.NewFile(dst, stage.Options{Replaces: func(string) bool { return true }})
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
