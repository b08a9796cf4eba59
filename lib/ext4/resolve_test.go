// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/lib/status"
	"banger/lib/tree"
)

// Resolve agrees with the kernel, which resolves the same paths in the directory
// that the image was made of.
func TestResolve(t *testing.T) {
	s := newSource(t)
	random := rand.New(rand.NewPCG(1, 2))
	s.fill(random, "", 3)
	s.add("end", tree.Inode{Type: tree.Dir}, "")
	s.add("chain0", tree.Inode{Type: tree.Symlink, Target: "end"}, "")
	for i := range maxLinks {
		s.add(fmt.Sprintf("chain%d", i+1), tree.Inode{Type: tree.Symlink, Target: fmt.Sprintf("chain%d", i)}, "")
	}
	s.add("ring", tree.Inode{Type: tree.Symlink, Target: "./ring"}, "")
	s.add("longest", tree.Inode{Type: tree.Symlink, Target: strings.Repeat("end/../", 584) + "chain38"}, "")
	m := s.image(small)

	wanted := []string{
		"/chain39", "/chain40", "/longest", "/longest/", "/longest/..", "/ring", "/ring/..", "/" + strings.Repeat("../", 1000) + "end",
		strings.Repeat("/", maxPath-3) + "end", strings.Repeat("/", maxPath-2) + "end", strings.Repeat("x", 256), strings.Repeat("x", 256) + "/../end",
	}
	for range 5000 {
		wanted = append(wanted, randomPath(random))
	}
	found := 0
	for _, name := range wanted {
		want, wantMode := kernelResolve(t, s.root, name)
		got, mode, err := m.Resolve(name)
		if got != want || mode.Type() != wantMode.Type() || (want == "") != errors.Is(err, fs.ErrNotExist) || want != "" && err != nil {
			t.Errorf("%.100s: %.100s, %v, %v; the kernel: %.100s, %v", name, got, mode, err, want, wantMode)
		}
		if want != "" {
			found++
		}
	}
	if found < len(wanted)/4 || found > len(wanted)*3/4 {
		t.Errorf("%d of %d paths lead somewhere", found, len(wanted))
	}
}

// fill fills a directory with directories up to a depth, symlinks and files of
// the names that random paths have.
func (s *source) fill(random *rand.Rand, dir string, depth int) {
	for _, name := range pathNames {
		switch random.IntN(5) {
		case 0, 1:
			s.add(dir+name, tree.Inode{Type: tree.Symlink, Target: randomPath(random)}, "")
		case 2:
			s.add(dir+name, tree.Inode{Mode: 0o644}, "")
		default:
			s.add(dir+name, tree.Inode{Type: tree.Dir, Mode: 0o755}, "")
			if depth > 1 {
				s.fill(random, dir+name+"/", depth-1)
			}
		}
	}
}

var pathNames = []string{"a", "b", "c", "d", "e"}

// randomPath returns a path of up to five names and dots.
func randomPath(random *rand.Rand) string {
	p := []string{"", "/", "//", "./", "../"}[random.IntN(5)]
	for i := range 1 + random.IntN(5) {
		if i > 0 {
			p += "/"
		}
		p += append(pathNames, ".", "..")[random.IntN(len(pathNames)+2)]
	}
	return p + []string{"", "", "", "/", "/."}[random.IntN(5)]
}

// kernelResolve returns where a path leads with dir as the root, "" for nowhere,
// and the mode of what is there.
func kernelResolve(t *testing.T, dir, name string) (string, fs.FileMode) {
	t.Helper()
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	fd, err := unix.Openat2(int(root.Fd()), name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	for err == unix.EAGAIN { // some other process has renamed a directory
		fd, err = unix.Openat2(int(root.Fd()), name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	}
	switch err {
	case nil:
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENAMETOOLONG:
		return "", 0
	case unix.ENOSYS:
		t.Skip("the kernel has no openat2")
	default:
		t.Fatalf("%.100s: %v", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	full, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return path.Join("/", strings.TrimPrefix(full, dir)), info.Mode()
}

// The mode has the permissions and the type, of all types.
func TestResolveMode(t *testing.T) {
	s := newSource(t)
	for typ := tree.File; typ <= tree.Socket; typ++ {
		if typ != tree.Symlink {
			s.add(typ.String(), tree.Inode{Type: typ, Mode: 0o4751}, "")
		}
	}
	s.direct = true
	m := s.image(small)
	for name, want := range map[string]fs.FileMode{
		"file": 0, "dir": fs.ModeDir, "char": fs.ModeDevice | fs.ModeCharDevice, "block": fs.ModeDevice, "fifo": fs.ModeNamedPipe, "socket": fs.ModeSocket,
	} {
		if _, mode, err := m.Resolve(name); err != nil || mode != want|0o751 {
			t.Errorf("%s: %v, %v", name, mode, err)
		}
	}
}

// Symlinks that lead through a large directory very often are refused.
func TestResolveBound(t *testing.T) {
	s := newSource(t)
	s.direct = true
	s.add("d", tree.Inode{Type: tree.Dir, Mode: 0o755}, "")
	s.add("d/s", tree.Inode{Type: tree.Dir, Mode: 0o755}, "")
	for i := range 1000 {
		s.add(fmt.Sprintf("d/%03d%s", i, strings.Repeat("n", 200)), tree.Inode{}, "")
	}
	s.add("d/0", tree.Inode{Type: tree.Symlink, Target: "s"}, "")
	for i := range maxLinks - 1 {
		s.add(fmt.Sprintf("d/%d", i+1), tree.Inode{Type: tree.Symlink, Target: strings.Repeat("s/../", 800) + fmt.Sprint(i)}, "")
	}
	m := s.image(small)
	m.lookups = maxLookups - 20_000 // the rest is enough of a wait
	last := fmt.Sprintf("/d/%d", maxLinks-1)
	if got, _, err := m.Resolve(last); status.Of(err) != status.Bad {
		t.Errorf("%s, %v", got, err)
	}
	if _, _, err := m.Resolve("/d"); status.Of(err) != status.Bad {
		t.Errorf("after that: %v", err)
	}
}

// A file is read up to a limit, and nothing else is.
func TestReadFile(t *testing.T) {
	s := paths(t)
	s.add("text", tree.Inode{}, strings.Repeat("text", 3000))
	m := s.image(small)
	for limit, want := range map[int64]int{0: 0, 5: 5, 12000: 12000, 1 << 40: 12000} {
		if got, err := m.ReadFile("/text", limit); err != nil || len(got) != want || want > 0 && !strings.HasPrefix(string(got), "textt") {
			t.Errorf("%d: %d bytes, %v", limit, len(got), err)
		}
	}
	if _, err := m.ReadFile("/ring", 5); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a symlink that leads to itself: %v", err)
	}
	if _, err := m.ReadFile("/usr", 5); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory: %v", err)
	}
}
