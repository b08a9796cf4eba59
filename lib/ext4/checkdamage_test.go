// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/sparse"
	"banger/lib/tree"
)

// copyOf opens a copy of an image.
func copyOf(t *testing.T, m *Image) *Image {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "copy.ext4"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := sparse.Copy(t.Context(), file, m.f); err != nil {
		t.Fatal(err)
	}
	return opened(t, file.Name())
}

// edit changes an image with debugfs, which updates checksums, and opens it
// again.
func edit(t *testing.T, m *Image, commands ...string) *Image {
	t.Helper()
	for _, command := range commands {
		cmd := exec.Command(program(t, "debugfs"), "-w", "-R", command, m.f.Name())
		out, err := cmd.CombinedOutput()
		if _, text, _ := strings.Cut(string(out), "\n"); err != nil || strings.Contains(text, ": ") && !strings.Contains(text, "hecksum") {
			t.Fatalf("debugfs %s: %v\n%s", command, err, out)
		}
	}
	return opened(t, m.f.Name())
}

// Damage with valid checksums is found and described.
func TestCheckDamage(t *testing.T) {
	s := rich(t)
	s.add("dir", tree.Inode{Type: tree.Dir}, "")
	s.add("dir/f", tree.Inode{}, "f")
	s.add("g", tree.Inode{}, "g")
	sharing := []tree.Xattr{{Name: "user.s", Value: strings.Repeat("s", 300)}}
	s.add("s1", tree.Inode{Xattrs: sharing}, "")
	s.add("s2", tree.Inode{Xattrs: sharing}, "")
	whole := s.image(small)
	sound(t, whole)
	ino := func(path string) uint32 {
		ino, _, err := whole.find(path)
		if err != nil {
			t.Fatal(err)
		}
		return ino
	}
	f, g, dir, many, large := ino("dir/f"), ino("g"), ino("dir"), ino("many"), ino("large")
	block := func(ino uint32) int64 { return whole.firstBlock(t, ino) / blockSize }
	value := uint32(large + 1)
	for _, c := range []struct {
		name   string
		change func(m *Image) *Image
		want   string
	}{
		{"a block owned twice", func(m *Image) *Image {
			m.editInode(t, g, func(raw []byte) { le.PutUint32(raw[inBlock+extentSize+8:], uint32(block(f))) })
			return m
		}, fmt.Sprintf("multiply-claimed block %d: also claimed by inode", block(f))},
		{"a block of the filesystem's own", func(m *Image) *Image {
			m.editInode(t, g, func(raw []byte) { le.PutUint32(raw[inBlock+extentSize+8:], 1) })
			return m
		}, "multiply-claimed block 1:"},
		{"links", func(m *Image) *Image { return edit(t, m, "sif g links_count 2") }, fmt.Sprintf("inode %d: links", g)},
		{"links of a directory", func(m *Image) *Image { return edit(t, m, "sif dir links_count 3") }, fmt.Sprintf("inode %d: links", dir)},
		{"another name", func(m *Image) *Image { return edit(t, m, "link g dir/h") }, fmt.Sprintf("inode %d: links", g)},
		{"blocks", func(m *Image) *Image { return edit(t, m, "sif g blocks 16") }, fmt.Sprintf("inode %d: blocks", g)},
		{"a size of less than the blocks", func(m *Image) *Image { return edit(t, m, "sif runs size 10") }, "should end at 1"},
		{"a size of a directory", func(m *Image) *Image { return edit(t, m, "sif dir size 8192") }, fmt.Sprintf("inode %d: size", dir)},
		{"flags", func(m *Image) *Image { return edit(t, m, "sif g flags 0x80010") }, fmt.Sprintf("inode %d: flags", g)},
		{"an unused part", func(m *Image) *Image { return edit(t, m, "sif g dtime 0x1234") }, fmt.Sprintf("inode %d: dtime", g)},
		{"free blocks", func(m *Image) *Image { return edit(t, m, "ssv free_blocks_count 7") }, "superblock: free blocks is 7, should be"},
		{"free inodes", func(m *Image) *Image { return edit(t, m, "ssv free_inodes_count 7") }, "superblock: free inodes is 7, should be"},
		{"free blocks of a group", func(m *Image) *Image { return edit(t, m, "set_bg 0 free_blocks_count 7", "set_bg 0 checksum calc") },
			"group 0: free blocks is 7, should be"},
		{"free inodes of a group", func(m *Image) *Image { return edit(t, m, "set_bg 0 free_inodes_count 7", "set_bg 0 checksum calc") },
			"group 0: free inodes is 7, should be"},
		{"directories", func(m *Image) *Image { return edit(t, m, "set_bg 0 used_dirs_count 7", "set_bg 0 checksum calc") },
			"group 0: directories is 7, should be"},
		{"inodes never used", func(m *Image) *Image { return edit(t, m, "set_bg 0 itable_unused 7", "set_bg 0 checksum calc") },
			"group 0: unused inodes is 7, should be"},
		{"flags of a group", func(m *Image) *Image { return edit(t, m, "set_bg 0 flags 0x8", "set_bg 0 checksum calc") }, "unknown flags 0x8"},
		{"a block that is marked", func(m *Image) *Image { return edit(t, m, "setb 4000") }, "block 4000 is marked in use"},
		{"a block that is not marked", func(m *Image) *Image { return edit(t, m, fmt.Sprintf("freeb %d", block(g))) },
			fmt.Sprintf("block %d is marked free", block(g))},
		{"an inode that is marked", func(m *Image) *Image { return edit(t, m, "seti <150>") }, "inode 150 is marked in use"},
		{"an inode that is not marked", func(m *Image) *Image { return edit(t, m, "freei g") }, fmt.Sprintf("inode %d is marked free", g)},
		{"no name", func(m *Image) *Image { return edit(t, m, "unlink g") }, fmt.Sprintf("unattached inode %d", g)},
		{"no value", func(m *Image) *Image { return edit(t, m, "unlink large") }, fmt.Sprintf("unattached inode %d", value)},
		{"no lost+found", func(m *Image) *Image { return edit(t, m, "unlink lost+found") }, "unattached inode 11"},
		{"a name of a reserved inode", func(m *Image) *Image { return edit(t, m, "link <8> journal") }, "reserved inode 8 has a name"},
		{"the journal's mode", func(m *Image) *Image { return edit(t, m, "sif <8> mode 0100644") }, "inode 8: mode"},
		{"the journal's size", func(m *Image) *Image { return edit(t, m, "sif <8> size 4096") }, "inode 8: size"},
		{"the resize inode's blocks", func(m *Image) *Image { return edit(t, m, "sif <7> blocks 8") }, "inode 7: blocks"},
		{"a reserved inode", func(m *Image) *Image { return edit(t, m, "sif <5> links_count 1") }, "inode 5: links"},
		{"a superblock's field", func(m *Image) *Image { return edit(t, m, "ssv last_orphan 20") }, "first orphan inode is 0x14, should be 0x0"},
		{"a superblock's state", func(m *Image) *Image { return edit(t, m, "ssv state 2") }, "state is 0x2"},
		{"the copy of the journal's inode", func(m *Image) *Image { return edit(t, m, "ssv jnl_blocks[1] 99") }, "backup of the journal inode differs"},
		{"..", func(m *Image) *Image {
			m.editBlock(t, block(dir), func(raw []byte) {
				le.PutUint32(raw[deName+4:], many)
				le.PutUint32(raw[blockSize-4:], m.dirChecksum(dir, 0, raw))
			})
			return m
		}, fmt.Sprintf("directory inode %d, ./dir: .. is inode %d, should be 2", dir, many)},
		{".", func(m *Image) *Image {
			m.editBlock(t, block(dir), func(raw []byte) {
				le.PutUint32(raw, many)
				le.PutUint32(raw[blockSize-4:], m.dirChecksum(dir, 0, raw))
			})
			return m
		}, fmt.Sprintf(". is inode %d, should be %d", many, dir)},
		{"a type", func(m *Image) *Image {
			m.editBlock(t, block(dir), func(raw []byte) {
				raw[dotsSize+deType] = fileTypes[tree.Fifo]
				le.PutUint32(raw[blockSize-4:], m.dirChecksum(dir, 0, raw))
			})
			return m
		}, "f has type 5, should be 1"},
		{"leaves exchanged", func(m *Image) *Image {
			m.editBlock(t, block(many), func(raw []byte) {
				e := raw[rootEntries:]
				a, b := le.Uint32(e[4:]), le.Uint32(e[indexEntrySize+4:])
				le.PutUint32(e[4:], b)
				le.PutUint32(e[indexEntrySize+4:], a)
				m.setIndexChecksum(many, raw, rootEntries)
			})
			return m
		}, "names not reachable by the index"},
		{"a leaf twice", func(m *Image) *Image {
			m.editBlock(t, block(many), func(raw []byte) {
				e := raw[rootEntries:]
				le.PutUint32(e[indexEntrySize+4:], le.Uint32(e[4:]))
				m.setIndexChecksum(many, raw, rootEntries)
			})
			return m
		}, "invalid or duplicate block"},
		{"a leaf less", func(m *Image) *Image {
			m.editBlock(t, block(many), func(raw []byte) {
				count := le.Uint16(raw[rootEntries+2:]) - 1
				le.PutUint16(raw[rootEntries+2:], count)
				le.PutUint64(raw[rootEntries+int(count)*indexEntrySize:], 0)
				m.setIndexChecksum(many, raw, rootEntries)
			})
			return m
		}, "no entry for block"},
		{"a hash version", func(m *Image) *Image {
			m.editBlock(t, block(many), func(raw []byte) {
				raw[rootInfo+4] = 2
				m.setIndexChecksum(many, raw, rootEntries)
			})
			return m
		}, "invalid header"},
		{"a block of xattrs that one shares", func(m *Image) *Image { return edit(t, m, "unlink s2") }, "reference count is 2, should be 1"},
		{"an attribute in the inode too, where the kernel looks first", func(m *Image) *Image {
			m.editInode(t, ino("s1"), func(raw []byte) { m.setXattrs(raw, []attribute{{index: 1, name: "s", value: "x"}}) })
			return m
		}, fmt.Sprintf("inode %d: duplicate xattr user.s", ino("s1"))},
		{"a value that belongs to another", func(m *Image) *Image { return edit(t, m, "sif large uid 5") }, fmt.Sprintf("inode %d: uid", value)},
		{"a value that two have", func(m *Image) *Image {
			return edit(t, m, fmt.Sprintf("sif <%d> version 2", value))
		}, fmt.Sprintf("inode %d: version", value)},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := problems(t, c.change(copyOf(t, whole)))
			if len(all) > 10 || !strings.Contains(strings.Join(all, "\n"), c.want) {
				t.Errorf("%q, want %s", all, c.want)
			}
		})
	}
}

// Changed superblock settings are problems.
func TestCheckTuned(t *testing.T) {
	whole := rich(t).image(small)
	for want, options := range map[string]string{
		"default mount options": "-o nobarrier", "mount options is \"data=journal\"": "-E mount_opts=data=journal",
		"errors behavior": "-e panic", "label is \"x\"": "-L x", "last mounted on is \"/x\"": "-M /x",
		"max mount count": "-c 1", "check interval": "-i 1d", "reserved blocks uid": "-u 5",
	} {
		m := copyOf(t, whole)
		args := append(strings.Fields(options), m.f.Name())
		if out, err := exec.Command(program(t, "tune2fs"), args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", options, err, out)
		}
		all := problems(t, opened(t, m.f.Name()))
		if len(all) != 1 || !strings.Contains(all[0], want) {
			t.Errorf("%s: %q", options, all)
		}
	}
}

// A file may be longer than its filesystem, by zeros.
func TestCheckBehind(t *testing.T) {
	m := copyOf(t, rich(t).image(small))
	if err := m.f.Truncate(m.Size() + 5000); err != nil {
		t.Fatal(err)
	}
	if all := problems(t, m); len(all) > 0 {
		t.Errorf("a hole: %q", all)
	}
	if _, err := m.f.WriteAt([]byte{1}, m.Size()+4999); err != nil {
		t.Fatal(err)
	}
	if all := problems(t, m); len(all) != 1 || !strings.Contains(all[0], "after the end of the filesystem") {
		t.Errorf("a byte: %q", all)
	}
}

// editBlock changes a block.
func (m *Image) editBlock(t testing.TB, block int64, change func(raw []byte)) {
	t.Helper()
	raw := make([]byte, blockSize)
	if _, err := m.f.ReadAt(raw, block*blockSize); err != nil {
		t.Fatal(err)
	}
	change(raw)
	if _, err := m.f.WriteAt(raw, block*blockSize); err != nil {
		t.Fatal(err)
	}
}

// A mounted image is reported in one line.
func TestCheckMounted(t *testing.T) {
	m := edit(t, rich(t).image(small), "ssv mnt_count 1", "unlink runs")
	if all := problems(t, m); len(all) != 1 || !strings.Contains(all[0], "not as banger-mkext4 made it") {
		t.Errorf("%q", all)
	}
}

func TestCheckInterrupted(t *testing.T) {
	m := rich(t).image(small)
	read, err := m.ReadTree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Check(ctx, read, func(problem string) { t.Error(problem) }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	m.Close()
	if err := m.Check(t.Context(), read, func(problem string) { t.Error(problem) }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed file: %v", err)
	}
}
