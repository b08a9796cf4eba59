// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// dropLog makes a hole of the log of the journal, as it is in a filesystem that was
// never mounted: it has old blocks of directories and inodes. It does nothing unless
// the log is empty, or if the host's filesystem has no holes.
func (m *Image) dropLog() error {
	raw, err := m.readInode(journalIno)
	if err != nil {
		return err
	}
	if le.Uint32(raw[inFlags:])&flagExtents == 0 {
		return nil // no journal, or one of ext3
	}
	var log []extent
	err = m.visitExtents(journalIno, raw, func(e extent) error {
		log = append(log, e)
		return nil
	})
	if err != nil || len(log) == 0 || log[0].logical != 0 {
		return err
	}
	super := make([]byte, blockSize)
	if _, err := m.f.ReadAt(super, log[0].physical*blockSize); err != nil {
		return err
	}
	if be := binary.BigEndian; be.Uint32(super[jsMagic:]) != journalMagic || be.Uint32(super[jsStart:]) != 0 {
		return nil
	}
	log[0].physical++
	log[0].count--
	for _, e := range log {
		if err := m.punch(e); err != nil {
			return err
		}
	}
	return nil
}

// punch makes a hole of blocks, where that is possible.
func (m *Image) punch(e extent) error {
	if e.count == 0 {
		return nil
	}
	err := unix.Fallocate(int(m.f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, e.physical*blockSize, e.count*blockSize)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return os.NewSyscallError("fallocate", err)
}
