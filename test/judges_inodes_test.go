// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var statFlags = regexp.MustCompile(`Inode: (\d+) +Type: directory .* Flags: 0x([0-9a-f]+)`)

const indexFlag = 0x1000 // EXT4_INDEX_FL

// indexed checks that a directory is one block while its names fit, and has an
// htree as soon as they do not. lost+found always has four blocks.
func (r rich) indexed(t *testing.T) {
	flags, inodes := r.flags(t)
	for path, ino := range inodes {
		room := int64(4096 - 12 - 2*12)
		for _, name := range list(t, filepath.Join(r.root, path)) {
			room -= int64(8+len(name)+3) &^ 3
		}
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(r.root, path), &st); err != nil {
			t.Fatal(err)
		}
		switch index := flags[ino]&indexFlag != 0; {
		case path == "lost+found":
		case room >= 0 && (index || st.Size != 4096):
			t.Errorf("%q fits into a block: %d bytes, index %v", path, st.Size, index)
		case room < 0 && index != testedFiller.keepsAll:
			t.Errorf("%q is larger than a block: %d bytes, index %v", path, st.Size, index)
		}
	}
}

// flags returns the inode flags of every directory.
func (r rich) flags(t *testing.T) (flags map[uint64]uint64, inodes map[string]uint64) {
	t.Helper()
	inodes, flags = map[string]uint64{}, map[uint64]uint64{}
	for path, f := range r.tree {
		if f["type"] == "dir" {
			inodes[path] = r.inode(t, path)
		}
	}
	for _, found := range statFlags.FindAllStringSubmatch(r.stat(t, maps.Values(inodes)), -1) {
		ino, _ := strconv.ParseUint(found[1], 10, 64)
		flags[ino], _ = strconv.ParseUint(found[2], 16, 64)
	}
	if len(flags) != len(inodes) {
		t.Fatalf("debugfs prints %d directories of %d", len(flags), len(inodes))
	}
	return flags, inodes
}

var statACL = regexp.MustCompile(`(?m)^File ACL: (\d+)`)

// shared checks that inodes with the same attributes share a block, 1024 at
// most: two blocks are enough for 1030.
func (r rich) shared(t *testing.T) {
	if !testedFiller.keepsAll {
		t.Skip("the attributes are in the inode")
	}
	inodes, blocks := map[string]uint64{}, map[string]int{}
	for i := range 1030 {
		path := fmt.Sprint("shared/", i)
		inodes[path] = r.inode(t, path)
	}
	for _, found := range statACL.FindAllStringSubmatch(r.stat(t, maps.Values(inodes)), -1) {
		blocks[found[1]]++
	}
	if len(blocks) != 2 || blocks["0"] > 0 {
		t.Errorf("inodes per xattr block: %v", blocks)
	}
}

func (r rich) inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(r.root, path), &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// stat returns debugfs's description of inodes, by number: names may be odd.
func (r rich) stat(t *testing.T, inodes iter.Seq[uint64]) string {
	t.Helper()
	var commands strings.Builder
	for ino := range inodes {
		fmt.Fprintf(&commands, "stat <%d>\n", ino)
	}
	script := filepath.Join(scratch(t), "debugfs")
	if err := os.WriteFile(script, []byte(commands.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return output(t, exec.Command(which("debugfs"), "-f", script, r.image))
}
