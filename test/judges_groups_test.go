// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A blockGroup is a block group as dumpe2fs prints it.
type blockGroup struct {
	blocks                           int64 // its size
	freeBlocks, freeInodes           int64
	directories                      int64
	unusedInodes                     int64 // never written, at the end of the inode table
	blocksUninit, inodesUninit, last bool
}

var groupLines = regexp.MustCompile(`(?m)^Group \d+: \(Blocks (\d+)-(\d+)\).*?(\[.*\])?\n(?: .*\n)*?` +
	`  (\d+) free blocks, (\d+) free inodes, (\d+) directories(?:, (\d+) unused inodes)?$`)

func blockGroups(t testing.TB, ext4 string) (all []blockGroup) {
	t.Helper()
	for _, found := range groupLines.FindAllStringSubmatch(output(t, exec.Command(which("dumpe2fs"), ext4)), -1) {
		n := func(i int) int64 { v, _ := strconv.ParseInt(found[i], 10, 64); return v }
		all = append(all, blockGroup{
			blocks: n(2) - n(1) + 1, freeBlocks: n(4), freeInodes: n(5), directories: n(6), unusedInodes: n(7),
			blocksUninit: strings.Contains(found[3], "BLOCK_UNINIT"), inodesUninit: strings.Contains(found[3], "INODE_UNINIT"),
		})
	}
	if len(all) == 0 {
		t.Fatal("dumpe2fs prints no groups")
	}
	all[len(all)-1].last = true
	return all
}

// counts checks that the groups' counts add up to the superblock's, which are
// the record's, and that the directories are counted.
func (r rich) counts(t *testing.T) {
	var sum blockGroup
	for _, g := range blockGroups(t, r.image) {
		sum.blocks += g.blocks
		sum.freeBlocks += g.freeBlocks
		sum.freeInodes += g.freeInodes
		sum.directories += g.directories
	}
	var record struct {
		Size       int64
		FreeBytes  int64 `json:"free_bytes"`
		FreeInodes int64 `json:"free_inodes"`
		SHA256     string
	}
	fromJSON(t, read(t, r.image+".json"), &record)
	super := dumpe2fs(t, r.image)
	inodes, directories, values := map[string]bool{}, int64(0), int64(0)
	for _, f := range r.tree {
		if f["type"] == "dir" {
			directories++
		}
		if !inodes[f["names"]] {
			values += largeValues(f)
		}
		inodes[f["names"]] = true
	}
	// Ten inodes are reserved, the root among them. Large attributes may be EA
	// inodes.
	minimum := int64(len(inodes)) + 9
	if used := super.number(t, "Inode count") - sum.freeInodes; used < minimum || used > minimum+values {
		t.Errorf("%d inodes used, want %d and at most %d EA inodes", used, minimum, values)
	}
	for _, c := range []struct {
		what      string
		got, want int64
	}{
		{"blocks of groups", sum.blocks, super.number(t, "Block count")},
		{"free blocks of groups", sum.freeBlocks, super.number(t, "Free blocks")},
		{"free inodes of groups", sum.freeInodes, super.number(t, "Free inodes")},
		{"directories of groups", sum.directories, directories},
		{"size in the record", record.Size, sum.blocks * 4096},
		{"free_bytes in the record", record.FreeBytes, sum.freeBlocks * 4096},
		{"free_inodes in the record", record.FreeInodes, sum.freeInodes},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}

// largeValues counts the attributes that may need an EA inode.
func largeValues(f facts) (n int64) {
	for fact, value := range f {
		if strings.HasPrefix(fact, "xattr.") && len(value) > 2000 {
			n++
		}
	}
	return n
}

// unusedGroups checks that empty groups are as mkfs.ext4 left them: e2fsck
// skips them and nothing was written.
func (r rich) unusedGroups(t *testing.T) {
	perGroup := dumpe2fs(t, r.image).number(t, "Inodes per group")
	noBlocks, noInodes := 0, 0
	for i, g := range blockGroups(t, r.image) {
		if g.freeInodes == perGroup {
			noInodes++
			if !g.inodesUninit || g.unusedInodes != perGroup {
				t.Errorf("group %d has no inodes: INODE_UNINIT %v, %d unused", i, g.inodesUninit, g.unusedInodes)
			}
		}
		if g.freeBlocks == g.blocks && !g.last { // mkfs.ext4 always writes the last bitmap
			noBlocks++
			if !g.blocksUninit {
				t.Errorf("group %d has no blocks: BLOCK_UNINIT is not set", i)
			}
		}
		if g.unusedInodes < g.freeInodes-10 {
			t.Errorf("group %d: %d free inodes, %d of them unused", i, g.freeInodes, g.unusedInodes)
		}
	}
	if noBlocks == 0 || noInodes == 0 {
		t.Errorf("%d groups without blocks, %d without inodes, want some of both", noBlocks, noInodes)
	}
}
