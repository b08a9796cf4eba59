// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"os"
	"syscall"
	"testing"
)

// What the journal of a mounted filesystem has held does not stay in the file.
func TestDropLog(t *testing.T) {
	m := paths(t).image(Options{Size: 256 << 20})
	raw, err := m.readInode(journalIno)
	if err != nil {
		t.Fatal(err)
	}
	allocated := func() int64 {
		info, err := os.Stat(m.f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	before, log := allocated(), int64(0)
	old := bytes.Repeat([]byte("old block of a directory"), blockSize/24+1)
	err = m.visitExtents(journalIno, raw, func(e extent) error {
		if e.logical == 0 { // the superblock of the journal
			e.physical++
			e.count--
		}
		for at := int64(0); at < e.count; at++ {
			if _, err := m.f.WriteAt(old[:blockSize], (e.physical+at)*blockSize); err != nil {
				return err
			}
		}
		log += e.count * blockSize
		return nil
	})
	if err != nil || log < 1<<20 {
		t.Fatalf("%d bytes of log, %v", log, err)
	}
	if err := NewUUID(t.Context(), m.f.Name()); err != nil {
		t.Fatal(err)
	}
	fsck(t, m.f.Name())
	content, err := os.ReadFile(m.f.Name())
	if err != nil || bytes.Contains(content, old[:24]) {
		t.Errorf("an old block is left, %v", err)
	}
	if after := allocated(); after > before+1<<20 {
		t.Errorf("%d bytes, before %d", after, before)
	}
}
