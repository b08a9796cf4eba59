// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/sparse"
	"banger/lib/tree"
)

// program returns the path of a program of e2fsprogs. If it is not found, the
// test is skipped, or fails with CI=true.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if p, err := exec.LookPath(candidate); err == nil {
			return p
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s not found", name)
	}
	t.Skipf("%s not found", name)
	return ""
}

// A source is a tree with the directory that holds its files.
type source struct {
	t      testing.TB
	root   string
	tree   *tree.Tree
	direct bool // use PopulateDirect
}

func newSource(t testing.TB) *source {
	return &source{t: t, root: t.TempDir(), tree: tree.New(tree.Inode{Mode: 0o755, Sec: 1700000000})}
}

// inBothModes runs a test with PopulateMkfs and with PopulateDirect.
func inBothModes(t *testing.T, test func(t *testing.T, newSource func(testing.TB) *source)) {
	for mode, direct := range map[string]bool{"mkfs": false, "direct": true} {
		t.Run(mode, func(t *testing.T) {
			test(t, func(t testing.TB) *source {
				s := newSource(t)
				s.direct = direct
				return s
			})
		})
	}
}

// add adds an inode to the tree and its file to the directory.
func (s *source) add(name string, n tree.Inode, content string) *tree.Inode {
	s.t.Helper()
	host, dir := filepath.Join(s.root, name), s.parent(name)
	var err error
	switch n.Type {
	case tree.Dir:
		err = os.Mkdir(host, 0o700)
	case tree.Symlink:
		n.Mode = 0o777
		err = os.Symlink(n.Target, host)
	default:
		err = os.WriteFile(host, []byte(content), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	usage := sparse.Usage{}
	if n.Type == tree.File {
		f, err := os.Open(host)
		if err != nil {
			s.t.Fatal(err)
		}
		defer f.Close()
		if usage, err = sparse.ScanFile(f, func([]byte, int64) error { return nil }); err != nil {
			s.t.Fatal(err)
		}
	}
	n.Size, n.Blocks, n.Runs = usage.Size, usage.Blocks, usage.Runs
	dir.Put(path.Base(name), &n, nil)
	return &n
}

// link adds a hard link.
func (s *source) link(name string, n *tree.Inode, old string) {
	s.t.Helper()
	if err := os.Link(filepath.Join(s.root, old), filepath.Join(s.root, name)); err != nil {
		s.t.Fatal(err)
	}
	if err := s.parent(name).Link(path.Base(name), n, nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *source) parent(name string) *tree.Inode {
	s.t.Helper()
	parts, err := tree.Split(path.Dir(name))
	if err != nil {
		s.t.Fatal(err)
	}
	dir, err := s.tree.Dir(parts, nil)
	if dir == nil || err != nil {
		s.t.Fatalf("%s: no parent, %v", name, err)
	}
	return dir
}

// create makes the image.
func (s *source) create(o Options) (string, error) {
	s.t.Helper()
	program(s.t, "mkfs.ext4")
	mkfs, err := FindMkfs(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(s.t.TempDir(), "rootfs.ext4")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		s.t.Fatal(err)
	}
	o.Tree, o.Root = s.tree, s.root
	if !s.direct {
		o.Populate = PopulateMkfs
	}
	if o.Seed == ([32]byte{}) {
		o.Seed[31] = 1 // mke2fs would replace an empty hash seed
	}
	return file, mkfs.Create(context.Background(), file, o)
}

// image makes the image, checks it with e2fsck and Check, and opens it.
func (s *source) image(o Options) *Image {
	s.t.Helper()
	file, err := s.create(o)
	if err != nil {
		s.t.Fatal(err)
	}
	fsck(s.t, file)
	m := opened(s.t, file)
	sound(s.t, m)
	return m
}

func opened(t testing.TB, file string) *Image {
	t.Helper()
	m, err := open(file, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func fsck(t testing.TB, file string) {
	t.Helper()
	if out, err := exec.Command(program(t, "e2fsck"), "-fn", file).CombinedOutput(); err != nil {
		t.Errorf("e2fsck -fn: %v\n%s", err, out)
	}
}

// debugfs runs a command of debugfs, which reports errors only on stderr.
func debugfs(t testing.TB, m *Image, command string, options ...string) string {
	t.Helper()
	cmd := exec.Command(program(t, "debugfs"), append(options, "-R", command, m.f.Name())...)
	cmd.Env = []string{"TZ=UTC", "LC_ALL=C", "DEBUGFS_PAGER=cat", "PATH=/usr/bin:/bin"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if _, text, _ := strings.Cut(stderr.String(), "\n"); err != nil || strings.TrimSpace(text) != "" {
		t.Fatalf("debugfs %s: %v\n%s", command, err, text)
	}
	return string(out)
}
