// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/ext4"
	"banger/lib/mtree"
	"banger/lib/stage"
	"banger/lib/status"
)

// Ext4Options say what ext4 file is made of a source.
type Ext4Options struct {
	Mkfs     *ext4.Mkfs
	Replace  bool  // an ext4 file that is there
	Size     int64 // bytes; 0 for as much as is promised
	Free     int64 // bytes; less than 0 for a quarter of the content
	Minimal  bool
	Progress func(written int64)
	Beside   bool // put image.json and config.json beside the file
}

// WriteExt4 makes the ext4 file dst of a source, whole or not at all. Beside it
// lies its record, FILE.json.
func (s *Source) WriteExt4(ctx context.Context, dst string, o Ext4Options) error {
	var so stage.Options
	if o.Replace {
		so.Replaces = isExt4
	}
	st, err := stage.NewFile(dst, so)
	if err != nil {
		return err
	}
	defer st.Discard()
	if o.Beside && s.Record != nil {
		if err := s.copyRecord(filepath.Dir(dst), o.Replace); err != nil {
			return err
		}
	}
	eo := ext4.Options{Tree: s.Tree, Root: s.Root, Size: o.Size, Free: o.Free, Minimal: o.Minimal, Progress: o.Progress}
	if s.Record != nil && !s.Record.Created.IsZero() {
		eo.Created = s.Record.Created.Unix()
	}
	if eo.Seed, err = s.seed(o); err != nil {
		return err
	}
	if err := o.Mkfs.Create(ctx, st.Path, eo); err != nil {
		return err
	}
	if err := writeExt4Record(dst, st.Path, o.Mkfs.Version); err != nil {
		return err
	}
	return st.Commit()
}

// isExt4 tells an ext4 file by its magic number.
func isExt4(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [2]byte
	_, err = f.ReadAt(magic[:], 1024+0x38)
	return err == nil && binary.LittleEndian.Uint16(magic[:]) == 0xef53
}

// seed makes what UUID and hash seed are made of: the image, the manifest as
// it is now, and the flags.
func (s *Source) seed(o Ext4Options) (seed [32]byte, err error) {
	h := sha256.New()
	if s.Record != nil {
		fmt.Fprintf(h, "%s\n", s.Record.Digest)
	}
	fmt.Fprintf(h, "size=%d free=%d minimal=%v\n", o.Size, o.Free, o.Minimal)
	err = mtree.Write(h, s.Tree)
	h.Sum(seed[:0])
	return seed, err
}

// copyRecord puts image.json and config.json into a directory. Those of
// another image are not overwritten.
func (s *Source) copyRecord(dir string, replace bool) error {
	for _, name := range []string{RecordFile, ConfigFile} {
		raw, err := os.ReadFile(filepath.Join(filepath.Dir(s.Root), name))
		if err != nil {
			return err
		}
		dst := filepath.Join(dir, name)
		there, err := os.ReadFile(dst)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil && bytes.Equal(there, raw):
			continue
		case err == nil && !replace:
			return status.Hint(status.Errorf(status.Create, "%s: exists, of another image", dst),
				"another directory, or -f to replace it")
		}
		if err := writeFile(dst, raw); err != nil {
			return err
		}
	}
	return nil
}

// writeFile makes or replaces a file in one step.
func writeFile(dst string, raw []byte) error {
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

// writeExt4Record writes FILE.json of the file dst that is staged at path.
func writeExt4Record(dst, path, mkfs string) error {
	m, err := ext4.Open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	r := Ext4{Size: m.Blocks() * 4096, FreeBytes: m.FreeBytes(), FreeInodes: m.FreeInodes(), UUID: m.UUID(), Mkfs: mkfs}
	raw, err := marshal(r)
	if err != nil {
		return err
	}
	return writeFile(dst+Ext4Record, raw)
}
