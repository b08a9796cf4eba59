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

// A Source is what an ext4 image can be made of: a bundle, or any directory.
type Source struct {
	Tree   *tree.Tree // the blocks of each file counted, or estimated
	Root   string     // the directory that has the names and contents, no symlink
	Record *Record    // nil for a plain directory

	manifest [sha256.Size]byte // the sum of rootfs.mtree, of a bundle
}

// Open reads a bundle and holds manifest and tree against each other, or reads
// a plain directory with the metadata it has on disk.
//
// Files are read through by a measure. Without one they are not read: what the
// host keeps as holes is taken for all there is.
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
	if real, err := realPath(dir); err == nil && filepath.Base(real) == TreeDir && isBundle(filepath.Dir(real)) {
		return nil, status.Hint(status.Errorf(status.Usage, "%s: the tree of a bundle, without its manifest", dir),
			"give the bundle, %s", filepath.Dir(real))
	}
	root := dir + "/." // which dir may be a symlink to
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

// TreeOf returns the path of a bundle's tree. It must be a directory: a symlink
// could lead to any directory of the host.
func TreeOf(dir string) (string, error) {
	root := filepath.Join(dir, TreeDir)
	info, err := os.Lstat(root)
	if err == nil && !info.IsDir() {
		err = status.Errorf(status.Bad, "%s: not a directory", root)
	}
	return root, err
}

// readManifest reads rootfs.mtree, and remembers its sum.
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

// A mismatch is a path on which manifest and tree do not agree.
type mismatch struct {
	path string // escaped, as in the manifest
	text string
}

func (m *mismatch) Error() string { return m.path + ": " + m.text }

func mismatchf(dir *tree.Inode, name, format string, args ...any) error {
	return &mismatch{"./" + mtree.Escape(dir.Join(name)), fmt.Sprintf(format, args...)}
}

// atLine adds to a mismatch the manifest's line of its path, if it has one.
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

// compare walks the tree on disk beside the manifest's. Names of one inode on
// disk become names of one inode in the manifest's tree, and blocks are counted
// or estimated.
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
		return mismatchf(dir, name, "nlink=%d, the tree has %d names of it", max(1, m.Links[n]), n.Nlink)
	})
}

type comparer struct {
	m     *mtree.Manifest
	first map[fileID]*tree.Inode
}

// entry holds one name on disk against the manifest's inode of that name.
func (c *comparer) entry(e entry) (*tree.Inode, error) {
	n := e.dir.Lookup(e.name)
	if n == nil {
		return nil, mismatchf(e.dir, e.name, "in the tree, no line for it")
	}
	if err := e.is(n); err != nil {
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
		return nil, mismatchf(e.dir, e.name, "another line says otherwise of the same file")
	}
	delete(c.m.Links, n)
	return nil, e.link(same)
}

// is tells how a file on disk differs from what the manifest says it holds.
func (e entry) is(n *tree.Inode) error {
	want := tree.File // which holds the name of what a tree must not have
	if n.Type == tree.Dir || n.Type == tree.Symlink {
		want = n.Type
	}
	if got, known := tree.TypeOf(e.stat.Mode); !known || got != want {
		return fmt.Errorf("type=%v, a %v in the tree", n.Type, got)
	}
	switch n.Type {
	case tree.Symlink:
		target, err := e.readlink()
		if err == nil && target != n.Target {
			err = fmt.Errorf("link=%s, %s in the tree", mtree.Escape(n.Target), mtree.Escape(target))
		}
		return err
	case tree.Dir:
		return nil
	}
	if e.stat.Size != n.Size {
		return fmt.Errorf("size=%d, %d in the tree", n.Size, e.stat.Size)
	}
	return nil
}
