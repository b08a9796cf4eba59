// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// facts describe a path of a tree on disk, by name and as text: type, mode,
// owner, mtime; of a file its size, the number of 4 KiB blocks that are not
// all zeros, and a sha256 of these and their offsets; link or device;
// xattr.NAME; and names, all hard links of the inode, quoted.
type facts map[string]string

// readTree returns the facts of every path from root, ".". Some only root can
// read.
func readTree(t testing.TB, root string) map[string]facts {
	t.Helper()
	tree, inodes := map[string]facts{}, map[uint64][]string{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return fmt.Errorf("%q: %w", path, err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		inodes[st.Ino] = append(inodes[st.Ino], name)
		tree[name], err = readFacts(path, &st)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range inodes {
		all := fmt.Sprintf("%q", names)
		if len(names) > 1000 { // too long to compare that often
			all = fmt.Sprintf("%d, sha256 %x", len(names), sha256.Sum256([]byte(all)))
		}
		for _, name := range names {
			tree[name]["names"] = all
		}
	}
	return tree
}

var typeNames = map[uint32]string{
	unix.S_IFDIR: "dir", unix.S_IFREG: "file", unix.S_IFLNK: "link",
	unix.S_IFCHR: "char", unix.S_IFBLK: "block", unix.S_IFIFO: "fifo", unix.S_IFSOCK: "socket",
}

func readFacts(path string, st *unix.Stat_t) (facts, error) {
	f := facts{
		"type":  typeNames[st.Mode&unix.S_IFMT],
		"mode":  fmt.Sprintf("%04o", st.Mode&0o7777),
		"owner": fmt.Sprintf("%d:%d", st.Uid, st.Gid),
		"mtime": fmt.Sprintf("%d.%09d", st.Mtim.Sec, st.Mtim.Nsec),
	}
	if err := f.readXattrs(path); err != nil {
		return nil, err
	}
	var err error
	switch f["type"] {
	case "file":
		err = f.readContent(path)
	case "link":
		f["link"], err = os.Readlink(path)
	case "char", "block":
		f["device"] = fmt.Sprintf("%d,%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	return f, err
}

func (f facts) readContent(path string) error {
	size, blocks, sum, err := hashSparse(path)
	f["size"], f["blocks"], f["sha256"] = fmt.Sprint(size), fmt.Sprint(blocks), sum
	return err
}

// hashSparse hashes the blocks of a file that are not all zeros, with their
// offsets, and counts them. It does not read holes.
func hashSparse(path string) (size int64, blocks int, sum string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, 0, "", err
	}
	defer file.Close()
	if size, err = file.Seek(0, io.SeekEnd); err != nil {
		return 0, 0, "", err
	}
	spans, err := stored(file, size)
	h := sha256.New()
	for _, s := range spans {
		n, hashErr := hashBlocks(h, file, s)
		blocks, err = blocks+n, errors.Join(err, hashErr)
	}
	return size, blocks, fmt.Sprintf("%x", h.Sum(nil)), err
}

// A span is a byte range of a file.
type span struct{ from, to int64 }

// stored returns the data ranges of a file, by lseek(2), aligned to 4 KiB
// whatever the host's block size is.
func stored(file *os.File, size int64) (spans []span, err error) {
	for at := int64(0); at < size; {
		from, err := unix.Seek(int(file.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return spans, nil
		}
		if err != nil {
			return spans, err
		}
		to, err := unix.Seek(int(file.Fd()), from, unix.SEEK_HOLE)
		if err != nil {
			return spans, err
		}
		from, at = max(from&^4095, at), min((to+4095)&^4095, size)
		spans = append(spans, span{from, at})
	}
	return spans, nil
}

// hashBlocks hashes and counts the blocks of a span that are not all zeros.
func hashBlocks(h io.Writer, file *os.File, s span) (blocks int, err error) {
	zero := make([]byte, 4096)
	buf := make([]byte, min(1<<20, s.to-s.from))
	for at := s.from; at < s.to; at += int64(len(buf)) {
		part := buf[:min(int64(len(buf)), s.to-at)]
		if _, err := file.ReadAt(part, at); err != nil {
			return blocks, err
		}
		off := at
		for block := range slices.Chunk(part, len(zero)) {
			if !bytes.Equal(block, zero[:len(block)]) {
				blocks++
				h.Write(binary.LittleEndian.AppendUint64(nil, uint64(off)))
				h.Write(block)
			}
			off += int64(len(block))
		}
	}
	return blocks, nil
}

// readXattrs reads the xattrs but for security.selinux, which is the host's,
// not the image's.
func (f facts) readXattrs(path string) error {
	buf := make([]byte, 1<<16)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return fmt.Errorf("%q: list xattrs: %w", path, err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		if name == "" || name == "security.selinux" {
			continue
		}
		n, err := unix.Lgetxattr(path, name, buf)
		if err != nil {
			return fmt.Errorf("%q: xattr %s: %w", path, name, err)
		}
		f["xattr."+name] = string(buf[:n])
	}
	return nil
}

// differences returns a line for each fact that differs, ordered by path.
func differences(got, want map[string]facts) (lines []string) {
	for _, path := range union(got, want) {
		switch {
		case got[path] == nil:
			lines = append(lines, fmt.Sprintf("%q: missing", path))
		case want[path] == nil:
			lines = append(lines, fmt.Sprintf("%q: should not be there", path))
		default:
			for _, fact := range union(got[path], want[path]) {
				if g, w := got[path][fact], want[path][fact]; g != w {
					lines = append(lines, fmt.Sprintf("%q: %s is %q, want %q", path, fact, g, w))
				}
			}
		}
	}
	return lines
}

// union returns the sorted keys of both maps.
func union[V any](a, b map[string]V) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

// sameTree fails the test with the first twenty differences.
func sameTree(t testing.TB, got, want map[string]facts) {
	t.Helper()
	lines := differences(got, want)
	if len(lines) > 20 {
		lines = append(lines[:20], fmt.Sprintf("and %d more", len(lines)-20))
	}
	if len(lines) > 0 {
		t.Errorf("the trees differ:\n%s", strings.Join(lines, "\n"))
	}
}

// A superblock is the output of dumpe2fs -h.
type superblock map[string]string

func dumpe2fs(t testing.TB, ext4 string) superblock {
	t.Helper()
	need(t, "dumpe2fs")
	super := superblock{}
	for line := range strings.Lines(output(t, exec.Command(which("dumpe2fs"), "-h", ext4))) {
		key, value, _ := strings.Cut(line, ":")
		super[key] = strings.TrimSpace(value)
	}
	return super
}

func (s superblock) number(t testing.TB, key string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s[key], 10, 64)
	if err != nil {
		t.Fatalf("dumpe2fs: %s: %v", key, err)
	}
	return n
}

// content sums the sizes of all files and their blocks that are not zeros,
// each file once.
func content(t testing.TB, tree map[string]facts) (size, blocks int64) {
	t.Helper()
	counted := map[string]bool{}
	for path, f := range tree {
		if f["type"] != "file" || counted[f["names"]] {
			continue
		}
		counted[f["names"]] = true
		for fact, sum := range map[string]*int64{"size": &size, "blocks": &blocks} {
			n, err := strconv.ParseInt(f[fact], 10, 64)
			if err != nil {
				t.Fatalf("%q: %s: %v", path, fact, err)
			}
			*sum += n
		}
	}
	return size, blocks
}

// mount mounts an image until the test ends, without writing to it.
func mount(t testing.TB, ext4 string) string {
	t.Helper()
	needRoot(t)
	dir := scratch(t)
	output(t, exec.Command(which("mount"), "-t", "ext4", "-o", "loop,ro,noload", ext4, dir))
	t.Cleanup(func() { output(t, exec.Command(which("umount"), dir)) })
	return dir
}

// hash returns the SHA-256 of a file in hexadecimal.
func hash(t testing.TB, path string) string {
	t.Helper()
	sum, err := hashOf(path)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// list returns the names in a directory.
func list(t testing.TB, dir string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		names = append(names, e.Name())
	}
	return names
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func fromJSON(t testing.TB, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
