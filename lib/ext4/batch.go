// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"banger/lib/mtree"
	"banger/lib/sparse"
	"banger/lib/tree"
)

// A batch holds consecutive inodes with their content, which are read and written
// together.
type batch struct {
	parts []part
	runs  []run
	buf   []byte     // content of the parts, as far as it fits
	read  chan error // receives the result of reading
	queue writeQueue // placed content

	done    []*os.File // directories and files that no later batch reads
	maxDone int        // the batch is full with so many
}

const (
	batchSize  = 512 << 10 // bytes of content
	batchParts = 512
)

// A part is an inode or, for a large or sparse file, a piece of its content.
type part struct {
	dir  *tree.Inode // directory of the inode; nil for the root
	name string      // in dir
	n    *tree.Inode

	in       *os.File // the file's directory on the host
	file     *os.File // the file, if it has several parts
	from, to int64    // range of the file in bytes
	last     bool     // this is the last part of the inode

	content []byte // whole blocks
	runs    []run  // nonzero blocks of content
	links   int    // of a directory
	indexed bool   // the directory has an htree
}

// A run is a range of blocks of a file, at a byte offset of the part's content.
type run struct{ logical, count, offset int64 }

func (b *batch) full() bool {
	return len(b.buf) >= batchSize || len(b.parts) >= batchParts || len(b.done) >= b.maxDone
}

// reset empties a batch and closes its files.
func (b *batch) reset() {
	for _, f := range b.done {
		f.Close()
	}
	clear(b.parts)
	clear(b.queue)
	b.parts, b.runs, b.buf, b.done, b.queue = b.parts[:0], b.runs[:0], b.buf[:0], b.done[:0], b.queue[:0]
}

// alloc returns size bytes, which are not cleared.
func (b *batch) alloc(size int64) []byte {
	if free := int64(cap(b.buf) - len(b.buf)); size > free {
		return make([]byte, size)
	}
	at := len(b.buf)
	b.buf = b.buf[:at+int(size)]
	return b.buf[at:]
}

// fill reads or generates the content of the parts.
func (b *batch) fill(m *Image, p *plan) error {
	for i := range b.parts {
		part := &b.parts[i]
		if err := b.fillPart(m, p, part); err != nil {
			return part.errorf(err)
		}
	}
	return nil
}

func (p *part) errorf(err error) error {
	if p.dir == nil {
		return fmt.Errorf("./: %w", err)
	}
	return fmt.Errorf("./%s: %w", mtree.Escape(p.dir.Join(p.name)), err)
}

func (b *batch) fillPart(m *Image, pl *plan, p *part) error {
	start := len(b.runs)
	switch {
	case p.n.Type == tree.Dir:
		if err := b.fillDir(m, pl, p); err != nil {
			return err
		}
		b.runs = append(b.runs, run{count: int64(len(p.content)) / blockSize})
	case p.n.Type == tree.Symlink && len(p.n.Target) >= fastSymlink:
		p.content = b.alloc(blockSize)
		clear(p.content[copy(p.content, p.n.Target):])
		b.runs = append(b.runs, run{count: 1})
	case p.n.Type == tree.File && p.n.Size > 0:
		if err := p.read(); err != nil {
			return err
		}
		for from, to := range sparse.Runs(p.content) {
			b.runs = append(b.runs, run{(p.from + from) / blockSize, (to - from) / blockSize, from})
		}
	}
	p.runs = b.runs[start:]
	return nil
}

// fillDir generates the blocks of a directory.
func (b *batch) fillDir(m *Image, pl *plan, p *part) error {
	entries, subdirs := pl.entries(p.n)
	l, err := pl.layOut(p.n, entries)
	if err != nil {
		return err
	}
	p.content, p.links, p.indexed = b.alloc(int64(l.blocks)*blockSize), 2+subdirs, l.indexed
	clear(p.content)
	parent := uint32(rootIno)
	if p.dir != nil {
		parent = p.dir.Ino
	}
	l.write(m, p.content, p.n.Ino, parent)
	return nil
}

var errChanged = errors.New("changed while being read")

// read reads a part of a file.
func (p *part) read() error {
	if p.file != nil && p.last {
		return p.checkSize()
	}
	if p.file != nil {
		return p.readFrom(int(p.file.Fd()))
	}
	fd, err := openAt(p.in, p.name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return p.readFrom(fd)
}

// checkSize checks the size of a file whose parts were read.
func (p *part) checkSize() error {
	info, err := p.file.Stat()
	if err == nil && info.Size() != p.n.Size {
		err = errChanged
	}
	return err
}

// readFrom reads a part. If it is a whole file, the file must end after it. p.content
// holds whole blocks, so the same read finds further bytes, unless the size is a
// multiple of the block size.
func (p *part) readFrom(fd int) error {
	length, got := int(p.to-p.from), 0
	for got < length {
		n, err := pread(fd, p.content[got:], p.from+int64(got))
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		got += n
	}
	if p.last && got == length && length == len(p.content) {
		n, err := pread(fd, make([]byte, 1), p.to)
		if err != nil {
			return err
		}
		got += n
	}
	if got != length {
		return errChanged
	}
	clear(p.content[got:])
	return nil
}

func pread(fd int, p []byte, off int64) (n int, err error) {
	for {
		n, err = unix.Pread(fd, p, off)
		if err != unix.EINTR {
			return n, os.NewSyscallError("pread", err)
		}
	}
}

// openAt opens a file in a directory for reading. It does not follow symlinks
// and does not block on fifos.
func openAt(in *os.File, name string) (fd int, err error) {
	fd, err = unix.Openat(int(in.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	return fd, os.NewSyscallError("openat", err)
}
