// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"banger/lib/tree"
)

var small = Options{Size: 16 << 20, Free: -1, Created: 1600000000}

// stat returns the output of debugfs for a path.
func stat(t *testing.T, m *Image, path string) string {
	t.Helper()
	at, err := m.lookup(path)
	if err != nil {
		t.Fatal(err)
	}
	return debugfs(t, m, fmt.Sprintf("stat <%d>", at.ino()))
}

var timeLine = regexp.MustCompile(`(?m)^ ?([acm]|cr)time: 0x[0-9a-f]{8}:([0-9a-f]{8}) -- (.*)$`)

// Times from 1901 to 2446 in nanoseconds; all four are equal.
func TestTimes(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		times := []time.Time{
			time.Unix(-1<<31, 0), time.Unix(-1, 999999999), time.Unix(0, 0), time.Unix(1, 1),
			time.Unix(1700000000, 123456789), time.Unix(1<<31-1, 0), time.Unix(1<<31, 5), time.Unix(1<<32, 0),
			time.Unix(1<<33-1, 999999999), time.Unix(1<<34-1<<31-1, 999999999),
		}
		s := newSource(t)
		for i, at := range times {
			s.add(fmt.Sprint(i), tree.Inode{Sec: at.Unix(), Nsec: uint32(at.Nanosecond())}, "")
		}
		m := s.image(small)
		for i, at := range times {
			found := timeLine.FindAllStringSubmatch(stat(t, m, fmt.Sprint(i)), -1)
			if len(found) != 4 {
				t.Fatalf("%q", found)
			}
			for _, f := range found {
				extra, err := strconv.ParseUint(f[2], 16, 32)
				if want := at.UTC().Format("Mon Jan _2 15:04:05 2006"); err != nil || f[3] != want || int(extra>>2) != at.Nanosecond() {
					t.Errorf("%stime: %s and %d ns, want %s and %d", f[1], f[3], extra>>2, want, at.Nanosecond())
				}
			}
		}
	})
}

// Owners with 32 bits and modes with 12.
func TestOwnersAndModes(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		s := newSource(t)
		s.add("sudo", tree.Inode{Mode: 0o4755}, "x")
		s.add("shadow", tree.Inode{Mode: 0, GID: 42}, "x")
		s.add("big", tree.Inode{Mode: 0o7777, UID: 1<<31 - 1, GID: 1<<30 + 1}, "")
		s.add("dir", tree.Inode{Type: tree.Dir, Mode: 0o1777, UID: 65536, GID: 65535}, "")
		s.add("link", tree.Inode{Type: tree.Symlink, Target: "sudo", UID: 7}, "")
		m := s.image(small)
		for path, want := range map[string]string{
			"/":      "directory 0755 0 0",
			"sudo":   "regular 04755 0 0",
			"shadow": "regular 0000 0 42",
			"big":    "regular 07777 2147483647 1073741825",
			"dir":    "directory 01777 65536 65535",
		} {
			if got := owner(t, stat(t, m, path)); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
		raw, err := m.readInode(m.mustEntry(t, "link"))
		if err != nil || le.Uint16(raw[inMode:])&0o7777 != 0o777 || le.Uint16(raw[inUID:]) != 7 {
			t.Errorf("link: mode %o, uid %d, %v", le.Uint16(raw[inMode:]), le.Uint16(raw[inUID:]), err)
		}
	})
}

// mustEntry returns the inode number of a name in the root.
func (m *Image) mustEntry(t *testing.T, name string) uint32 {
	t.Helper()
	raw, err := m.readInode(rootIno)
	if err != nil {
		t.Fatal(err)
	}
	ino, err := m.entry(rootIno, raw, name)
	if err != nil {
		t.Fatal(err)
	}
	return ino
}

var ownerLine = regexp.MustCompile(`(?s)Type: (\S+)\s+Mode:\s+(\d+).*User:\s+(\d+)\s+Group:\s+(\d+)`)

func owner(t *testing.T, stat string) string {
	t.Helper()
	f := ownerLine.FindStringSubmatch(stat)
	if f == nil {
		t.Fatal(stat)
	}
	return strings.Join(f[1:], " ")
}

// Devices in the old and the new encoding, and fifos. e2fsck checks the types in
// their directory entries.
func TestDevices(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		s := newSource(t)
		for _, c := range []struct {
			typ          tree.Type
			major, minor uint32
		}{
			{tree.Char, 1, 3}, {tree.Block, 8, 0}, {tree.Char, 255, 255}, {tree.Char, 0, 0},
			{tree.Block, 259, 1}, {tree.Char, 5, 256}, {tree.Block, 4095, 1<<20 - 1}, {tree.Char, 256, 0},
		} {
			s.add(fmt.Sprintf("%v-%d-%d", c.typ, c.major, c.minor), tree.Inode{Type: c.typ, Mode: 0o660, Major: c.major, Minor: c.minor}, "")
		}
		s.add("fifo", tree.Inode{Type: tree.Fifo, Mode: 0o600}, "")
		m := s.image(small)
		words := map[string]string{"char": "character", "block": "block"}
		for _, name := range s.tree.Root.Names() {
			text := stat(t, m, name)
			if name == "fifo" {
				if !strings.Contains(text, "Type: FIFO") {
					t.Error(text)
				}
				continue
			}
			part := strings.Split(name, "-")
			major, _ := strconv.Atoi(part[1])
			minor, _ := strconv.Atoi(part[2])
			number := fmt.Sprintf("Device major/minor number: %02d:%02d ", major, minor)
			if !strings.Contains(text, "Type: "+words[part[0]]) || !strings.Contains(text, number) {
				t.Errorf("%s: %s", name, text)
			}
			isNew := strings.Contains(text, "(New-style)")
			if want := major > 255 || minor > 255 || major+minor == 0; isNew != want { // 0:0 looks the same in both
				t.Errorf("%s: new style is %v", name, isNew)
			}
		}
	})
}

// Xattrs as read by libext2fs, which converts ACLs to the format of the system
// calls.
func TestXattrs(t *testing.T) {
	inBothModes(t, func(t *testing.T, newSource func(testing.TB) *source) {
		acl := "\x02\x00\x00\x00" +
			"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\xe8\x03\x00\x00" + // owner, user 1000
			"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff"
		capability := "\x01\x00\x00\x02\x00\x20" + strings.Repeat("\x00", 14)
		s := newSource(t)
		for name, xattrs := range map[string][]tree.Xattr{
			"ping": {{Name: "security.capability", Value: capability}},
			"acl":  {{Name: tree.ACLAccess, Value: acl}},
			"many": {{Name: "user.b", Value: "2"}, {Name: "user.a", Value: "one\x00\xff"}, {Name: "trusted.t", Value: ""}},
			"full": {{Name: "user.f", Value: strings.Repeat("f", xattrRoom-4-xeName-4)}},
		} {
			s.add(name, tree.Inode{Mode: 0o755, Xattrs: xattrs}, "x")
		}
		s.add("dir", tree.Inode{Type: tree.Dir, Xattrs: []tree.Xattr{{Name: tree.ACLDefault, Value: acl}}}, "")
		s.add("link", tree.Inode{Type: tree.Symlink, Target: "x", Xattrs: []tree.Xattr{{Name: "trusted.l", Value: "v"}}}, "")
		m := s.image(small)
		for _, name := range s.tree.Root.Names() {
			ino, n := m.mustEntry(t, name), s.tree.Root.Lookup(name)
			list := debugfs(t, m, fmt.Sprintf("ea_list <%d>", ino))
			if got := strings.Count(list, "\n  "); got != len(n.Xattrs) {
				t.Errorf("%s: %s", name, list)
			}
			for _, x := range n.Xattrs {
				if strings.HasPrefix(x.Name, "system.") { // libext2fs returns 0 for a missing id
					x.Value = strings.ReplaceAll(x.Value, "\xff\xff\xff\xff", "\x00\x00\x00\x00")
				}
				file := filepath.Join(t.TempDir(), "value")
				debugfs(t, m, fmt.Sprintf("ea_get -f %s <%d> %s", file, ino, x.Name))
				if raw, err := os.ReadFile(file); err != nil || string(raw) != x.Value {
					t.Errorf("%s: %s is %q, %v; want %q\n%s", name, x.Name, raw, err, x.Value, list)
				}
			}
		}
	})
}

// ext4 stores ACLs in version 1, with ids only in named entries.
func TestEncodeACL(t *testing.T) {
	got, err := encodeACL("\x02\x00\x00\x00" + "\x01\x00\x07\x00\xff\xff\xff\xff" + "\x08\x00\x05\x00\x0a\x00\x00\x00")
	if want := "\x01\x00\x00\x00" + "\x01\x00\x07\x00" + "\x08\x00\x05\x00\x0a\x00\x00\x00"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{"", "\x02\x00\x00", "\x01\x00\x00\x00", "\x02\x00\x00\x00\x01\x00\x07"} {
		if got, err := encodeACL(bad); err == nil {
			t.Errorf("%q: no error, %q", bad, got)
		}
	}
}
