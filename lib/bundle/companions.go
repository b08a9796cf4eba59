// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/opencontainers/go-digest"

	"banger/lib/ext4"
	"banger/lib/input"
	"banger/lib/stage"
	"banger/lib/status"
)

// companions are the documents that describe an ext4 file: FILE.json says how it
// was made; outside a bundle, image.json and config.json say which image it
// holds. They are written before the file gets its name.
type companions struct {
	dst     string
	bundle  string // to copy image.json and config.json from, or ""
	replace bool
	created []string
}

// documents are copied in this order and removed in reverse order.
var documents = []string{RecordFile, ConfigFile}

// path returns the path of a document in the directory of the ext4 file.
func (c *companions) path(name string) string { return filepath.Join(filepath.Dir(c.dst), name) }

// check refuses to overwrite files not made by banger, and documents of another
// image. Documents without an ext4 file are left from a killed run and may be
// overwritten.
func (c *companions) check() error {
	if _, err := readExt4Record(c.dst + Ext4Record); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unreadable(c.dst+Ext4Record, err)
	}
	for _, name := range documents {
		if c.bundle == "" {
			break
		}
		existing, err := ReadDocument(c.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return unreadable(c.path(name), err)
		}
		raw, err := ReadDocument(filepath.Join(c.bundle, name))
		if err != nil {
			return err
		}
		if bytes.Equal(existing, raw) || sameRecord(existing, raw) {
			continue
		}
		r, err := ReadRecord(c.path(RecordFile))
		if err != nil || isBundle(filepath.Dir(c.dst)) {
			return notBanger(c.path(name))
		}
		if !c.replace && c.inUse(r.Digest) {
			return status.Hint(status.Errorf(status.Create, "%s: exists, for another image", c.path(name)),
				"use another directory, or -f to replace it")
		}
	}
	return nil
}

// sameRecord reports whether two documents are records that differ in nothing
// but the layout that the layers came from.
func sameRecord(a, b []byte) bool {
	var r [2]Record
	for i, raw := range [][]byte{a, b} {
		if input.Unmarshal(raw, &r[i], input.MaxValues) != nil || r[i].Version != 1 {
			return false
		}
		r[i].Layout = ""
	}
	return reflect.DeepEqual(r[0], r[1])
}

// unreadable returns the error for an existing document that cannot be read: err
// if it is a system error, else that banger did not make the file.
func unreadable(path string, err error) error {
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return err
	}
	return notBanger(path)
}

func notBanger(path string) error {
	return status.Hint(status.Errorf(status.Create, "%s: exists, not made by banger", path), "move it away")
}

// inUse reports whether another ext4 file in the directory holds the image.
func (c *companions) inUse(image digest.Digest) bool {
	entries, _ := os.ReadDir(filepath.Dir(c.dst))
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), Ext4Record)
		if !ok {
			continue
		}
		file := c.path(name)
		r, err := readExt4Record(file + Ext4Record)
		if _, statErr := os.Lstat(file); err == nil && statErr == nil && r.Image == image && file != filepath.Clean(c.dst) {
			return true
		}
	}
	return false
}

// readExt4Record reads a FILE.json. It rejects other JSON documents.
func readExt4Record(path string) (*Ext4, error) {
	raw, err := ReadDocument(path)
	if err != nil {
		return nil, err
	}
	r, d := new(Ext4), json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil || r.Size == 0 || r.UUID == "" {
		return nil, errors.Join(err, errors.New("not an ext4 record"))
	}
	return r, nil
}

// write writes the companions of the ext4 file staged at path. On an error it
// removes those it created.
func (c *companions) write(path string, s *Source, o Ext4Options) error {
	record, err := describe(path)
	if err != nil {
		return err
	}
	record.BuildInfo = o.buildInfo()
	if s.Record != nil {
		record.Image = s.Record.Digest
		record.Manifest = digest.NewDigestFromBytes(digest.SHA256, s.manifest[:])
	}
	raw, err := marshal(record)
	if err == nil {
		err = c.put(c.dst+Ext4Record, raw)
	}
	for _, name := range documents {
		if c.bundle == "" || err != nil {
			break
		}
		if raw, err = ReadDocument(filepath.Join(c.bundle, name)); err == nil {
			err = c.put(c.path(name), raw)
		}
	}
	if err != nil {
		c.remove()
	}
	return err
}

// put creates or replaces a companion atomically.
func (c *companions) put(dst string, raw []byte) error {
	if existing, err := ReadDocument(dst); err == nil && bytes.Equal(existing, raw) {
		return nil
	} else if errors.Is(err, fs.ErrNotExist) {
		c.created = append(c.created, dst)
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

// remove removes the companions that were created.
func (c *companions) remove() {
	for i := len(c.created) - 1; i >= 0; i-- {
		os.Remove(c.created[i])
	}
}

// describe calls Describe for the ext4 file at path.
func describe(path string) (*Ext4, error) {
	m, err := ext4.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return Describe(m), nil
}

// Describe returns a record with the fields that are read from the ext4 file.
func Describe(m *ext4.Image) *Ext4 {
	return &Ext4{Size: m.Size(), FreeBytes: m.FreeBytes(), FreeInodes: m.FreeInodes(), UUID: m.UUID()}
}
