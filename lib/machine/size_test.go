// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"banger/lib/bundle"
	"banger/lib/status"
	"banger/lib/store"
)

// disk writes a disk of a size, with the superblock of an empty ext4 filesystem.
func disk(t *testing.T, path string, filesystem, size int64) {
	t.Helper()
	super := make([]byte, 1024)
	binary.LittleEndian.PutUint32(super[0x04:], uint32(filesystem/4096)) // s_blocks_count_lo
	binary.LittleEndian.PutUint32(super[0x18:], 2)                       // s_log_block_size
	binary.LittleEndian.PutUint16(super[0x38:], 0xef53)                  // s_magic
	if err := os.WriteFile(path, append(make([]byte, 1024), super...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

// Spec.Size makes a disk larger, never smaller. A disk that is smaller than its
// filesystem is refused, and nothing is made or changed.
func TestSize(t *testing.T) {
	const MiB = 1 << 20
	for name, c := range map[string]struct {
		image      int64 // the size of the published file, whose filesystem has 32 MiB
		kept, file int64 // the filesystem and the size of the disk that is there, 0 for none
		size       int64 // of the Spec
		want       int64
		code       status.Code
		hint       string
	}{
		"copy":               {32 * MiB, 0, 0, 0, 32 * MiB, 0, ""},
		"larger copy":        {32 * MiB, 0, 0, 64 * MiB, 64 * MiB, 0, ""},
		"as large":           {32 * MiB, 0, 0, 32 * MiB, 32 * MiB, 0, ""},
		"small copy":         {32 * MiB, 0, 0, 32*MiB - 1, 0, status.Usage, "the least is --size 32M"},
		"kept":               {32 * MiB, 40 * MiB, 40 * MiB, 0, 40 * MiB, 0, ""},
		"kept grows":         {32 * MiB, 40 * MiB, 40 * MiB, 1 << 40, 1 << 40, 0, ""},
		"has room":           {32 * MiB, 40 * MiB, 50 * MiB, 45 * MiB, 50 * MiB, 0, ""},
		"kept is larger":     {32 * MiB, 40*MiB + 4096, 50 * MiB, 40 * MiB, 50 * MiB, status.Usage, "the least is --size 40964K"},
		"kept is truncated":  {32 * MiB, 40 * MiB, 39 * MiB, 0, 39 * MiB, status.Bad, ""},
		"not grown":          {32 * MiB, 40 * MiB, 39 * MiB, 64 * MiB, 39 * MiB, status.Bad, ""},
		"image is truncated": {31 * MiB, 0, 0, 64 * MiB, 0, status.Bad, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			disk(t, filepath.Join(dir, "rootfs.ext4"), 32*MiB, c.image)
			kept := filepath.Join(dir, "kept")
			if c.file > 0 {
				disk(t, kept, c.kept, c.file)
			}
			b := &Boot{
				Spec:  Spec{Keep: kept, Size: c.size},
				Image: &store.Image{Dir: dir, Record: &bundle.Record{Ext4: &bundle.Ext4{UUID: "00000000-0000-0000-0000-000000000000"}}},
				Show:  func(Command) {},
			}
			defer b.release()
			err := b.place()
			if err == nil {
				err = b.keep(t.Context())
			}
			if status.Of(err) != c.code || status.HintOf(err) != c.hint {
				t.Errorf("%v, %q", err, status.HintOf(err))
			}
			info, err := os.Stat(kept)
			if (err == nil) != (c.want > 0) || err == nil && info.Size() != c.want {
				t.Errorf("%v, %v, want %d bytes", info, err, c.want)
			}
		})
	}
}

// A copy of an image whose file is truncated is not booted.
func TestSizeOfCopy(t *testing.T) {
	dir := t.TempDir()
	disk(t, filepath.Join(dir, "rootfs.ext4"), 1<<20, 1<<20-1)
	b := &Boot{Image: &store.Image{Dir: dir}, files: t.TempDir(), Show: func(Command) {}}
	if err := b.copied(t.Context()); status.Of(err) != status.Bad {
		t.Error(err)
	}
}
