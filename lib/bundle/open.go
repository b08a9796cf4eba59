// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"banger/lib/input"
	"banger/lib/mtree"
	"banger/lib/sparse"
	"banger/lib/status"
	"banger/lib/tree"
)

// A Source is a bundle or a plain directory, from which images are made.
type Source struct {
	Tree   *tree.Tree // with the blocks of each file counted or estimated
	Root   string     // directory with the names and contents, not a symlink
	Record *Record    // nil for a plain directory

	manifest [sha256.Size]byte // SHA-256 of rootfs.mtree, if a bundle
}

// Open reads a bundle and checks that manifest and tree match, or reads a plain
// directory with its metadata on disk.
//
// measure reads the files to count their blocks. If it is nil, files are not
// read and the holes on the host serve as an estimate.
func Open(ctx context.Context, dir string, measure Measure, warn func(string)) (*Source, error) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, status.Errorf(status.NoInput, "%s: not a directory", dir)
	case isBundle(dir):
		return openBundle(ctx, dir, measure)
	}
	if path, err := realPath(dir); err == nil && filepath.Base(path) == TreeDir && isBundle(filepath.Dir(path)) {
		return nil, status.Hint(status.Errorf(status.Usage, "%s: tree of a bundle, without its manifest", dir),
			"use the bundle, %s", filepath.Dir(path))
	}
	root := dir + "/." // follows dir if it is a symlink
	t, err := scan(ctx, root, measure, warn)
	return &Source{Tree: t, Root: root}, err
}

func openBundle(ctx context.Context, dir string, measure Measure) (*Source, error) {
	record, err := ReadRecord(filepath.Join(dir, RecordFile))
	if err != nil {
		return nil, err
	}
	root, err := TreeOf(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, ManifestFile)
	s := &Source{Root: root, Record: record}
	m, err := s.readManifest(ctx, path)
	if err != nil {
		return nil, err
	}
	s.Tree = m.Tree
	if err := compare(ctx, s.Root, m, measure); err != nil {
		return nil, atLine(path, err)
	}
	return s, nil
}

// TreeOf returns the path of the tree of a bundle. It rejects a symlink, which
// could lead to any directory of the host.
func TreeOf(dir string) (string, error) {
	root := filepath.Join(dir, TreeDir)
	info, err := os.Lstat(root)
	if err == nil && !info.IsDir() {
		err = status.Errorf(status.Bad, "%s: not a directory", root)
	}
	return root, err
}

// readManifest reads rootfs.mtree and stores its SHA-256.
func (s *Source) readManifest(ctx context.Context, path string) (*mtree.Manifest, error) {
	f, err := input.OpenNoFollow(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := input.CheckSize(f, mtree.MaxSize); err != nil {
		return nil, err
	}
	sum := sha256.New()
	m, err := mtree.Read(io.TeeReader(sparse.Interruptible(ctx, f), sum))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	sum.Sum(s.manifest[:0])
	return m, nil
}

// A mismatch is a difference between manifest and tree at a path.
type mismatch struct {
	path string // escaped, as in the manifest
	text string
}

func (m *mismatch) Error() string { return m.path + ": " + m.text }

func mismatchf(dir *tree.Inode, name, format string, args ...any) error {
	return &mismatch{"./" + mtree.Escape(dir.Join(name)), fmt.Sprintf(format, args...)}
}

// atLine adds the number of the manifest line to a mismatch, if the path has one.
func atLine(manifest string, err error) error {
	var m *mismatch
	if !errors.As(err, &m) {
		return err
	}
	where := manifest
	if f, openErr := input.OpenNoFollow(manifest); openErr == nil {
		defer f.Close()
		if number := mtree.Line(f, m.path); number > 0 {
			where = fmt.Sprintf("%s:%d", manifest, number)
		}
	}
	return status.Errorf(status.Bad, "%s: %w", where, err)
}

// compare compares the tree on disk with the manifest. It joins hard links on
// disk in the tree of the manifest, and counts or estimates blocks.
func compare(ctx context.Context, root string, m *mtree.Manifest, measure Measure) error {
	c := comparer{m: m, first: map[fileID]*tree.Inode{}}
	w := newWalker(ctx, c.entry, measure)
	if err := w.walk(root, m.Tree.Root); err != nil {
		return err
	}
	return m.Tree.Walk(func(dir *tree.Inode, name string, n *tree.Inode) error {
		if n.Type == tree.Dir || m.Links[n] == n.Nlink || m.Links[n] == 0 && n.Nlink == 1 {
			return nil
		}
		return mismatchf(dir, name, "nlink=%d, but %d in the tree", max(1, m.Links[n]), n.Nlink)
	})
}

type comparer struct {
	m     *mtree.Manifest
	first map[fileID]*tree.Inode
}

// entry compares one entry on disk with its inode in the manifest.
func (c *comparer) entry(e entry) (*tree.Inode, error) {
	n := e.dir.Lookup(e.name)
	if n == nil {
		return nil, mismatchf(e.dir, e.name, "in the tree, not in the manifest")
	}
	if err := e.match(n); err != nil {
		return nil, mismatchf(e.dir, e.name, "%v", err)
	}
	if n.Type == tree.Dir || e.stat.Nlink == 1 {
		return n, nil
	}
	same := c.first[e.id()]
	if same == nil {
		c.first[e.id()] = n
		return n, nil
	}
	if !tree.SameMeta(n, same) || c.m.Links[n] != c.m.Links[same] {
		return nil, mismatchf(e.dir, e.name, "differs from another line for the same file")
	}
	delete(c.m.Links, n)
	return nil, e.link(same)
}

// match returns an error that says how the file on disk differs from the
// manifest.
func (e entry) match(n *tree.Inode) error {
	want := tree.File // the stand-in for devices, fifos and sockets
	if n.Type == tree.Dir || n.Type == tree.Symlink {
		want = n.Type
	}
	if got, known := tree.TypeOf(e.stat.Mode); !known || got != want {
		return fmt.Errorf("type=%v, but %v in the tree", n.Type, got)
	}
	switch n.Type {
	case tree.Symlink:
		target, err := e.readlink()
		if err == nil && target != n.Target {
			err = fmt.Errorf("link=%s, but %s in the tree", mtree.Escape(n.Target), mtree.Escape(target))
		}
		return err
	case tree.Dir:
		return nil
	}
	if e.stat.Size != n.Size {
		return fmt.Errorf("size=%d, but %d in the tree", n.Size, e.stat.Size)
	}
	return nil
}
