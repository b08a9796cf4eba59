// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An entry is an entry of a layer's archive. An entry without an mtime gets a
// unique one, to the nanosecond.
type entry struct {
	tar.Header
	data string
}

func file(name, data string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))}, data}
}

func directory(name string) entry {
	return entry{tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755}, ""}
}

func symlink(name, target string) entry {
	return entry{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, ""}
}

func hardlink(name, target string) entry {
	return entry{tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o644}, ""}
}

func device(kind byte, name string, major, minor int64) entry {
	return entry{tar.Header{Typeflag: kind, Name: name, Mode: 0o660, Devmajor: major, Devminor: minor}, ""}
}

// whiteout removes name from the layers below.
func whiteout(name string) entry {
	dir, base := filepath.Split(name)
	return file(dir+".wh."+base, "")
}

// opaque makes a directory opaque.
func opaque(dir string) entry { return file(dir+"/.wh..wh..opq", "") }

func (e entry) mode(mode int64) entry { e.Mode = mode; return e }

func (e entry) owner(uid, gid int) entry { e.Uid, e.Gid = uid, gid; return e }

func (e entry) mtime(sec, nsec int64) entry { e.ModTime = time.Unix(sec, nsec); return e }

func (e entry) xattr(name, value string) entry {
	records := map[string]string{"SCHILY.xattr." + name: value}
	for k, v := range e.PAXRecords {
		records[k] = v
	}
	e.PAXRecords = records
	return e
}

// writeLayer writes layer n's archive into dir and returns its path.
func writeLayer(t testing.TB, dir string, n int, entries []entry) string {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for i, e := range entries {
		if e.ModTime.IsZero() {
			e = e.mtime(1_700_000_000+int64(n), 123_000_001+int64(i))
		}
		e.Format = tar.FormatPAX
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatalf("%q: %v", e.Name, err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatalf("%q: %v", e.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, fmt.Sprintf("layer-%d.tar", n))
	if err := os.WriteFile(path, archive.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// netRaw is ping's security.capability: version 2, effective, cap_net_raw.
const netRaw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// acl returns an ACL as stored by setxattr(2) and archives: the file's owner
// may read and write, the user may read, and others may not.
func acl(uid uint32) string {
	const none = ^uint32(0)
	list := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 6, none}, {0x02, 4, uid}, {0x04, 0, none}, {0x10, 4, none}, {0x20, 0, none}} {
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.perm)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	return string(list)
}

// zeros and ones return blocks of 4 KiB.
func zeros(blocks int) string { return strings.Repeat("\x00", blocks<<12) }
func ones(blocks int) string  { return strings.Repeat("\xff", blocks<<12) }

// oddNames have bytes that quoting, printing and text formats get wrong.
var oddNames = []string{
	"a space", "trailing ", " leading", "new\nline", `quo"te`, "quo'te", `back\slash`, "tab\t", "\x01\x7f",
	"latin1-\xe9", "\xff\xfe", "utf8-é", "-dash", "#hash", "*?[glob]", "$HOME", "a=b", `\040`, "x.wh.y", "...",
	strings.Repeat("n", 255),
}

// added is the second layer: everything that an entry can describe, and files
// that the layers above change.
func added() []entry {
	layer := []entry{
		directory("opt/x").owner(7, 8),
		file("opt/x/setuid", "u").mode(0o4755), file("opt/x/setgid", "g").mode(0o2755),
		directory("opt/x/sticky").mode(0o1777), directory("opt/x/setgid.d").mode(0o2775).owner(0, 50),
		file("opt/x/all", "ugt").mode(0o7777).owner(1000, 1000),
		file("opt/x/shadow", "secret").mode(0),
		directory("opt/x/closed").mode(0), file("opt/x/closed/in", "in").mode(0),
		file("opt/x/uids", "").owner(100_000, 200_000), file("opt/x/last", "").owner(1<<32-2, 1<<32-2),
		symlink("opt/x/owned", "uids").owner(1234, 70_000),

		file("opt/x/ping", "raw").mode(0o755).xattr("security.capability", netRaw),
		file("opt/x/noted", "user").xattr("user.note", "a\x00b\n\xff"), directory("opt/x/noted.d").xattr("user.n", "1"),
		file("opt/x/trusted", "").xattr("trusted.t", "t").xattr("user.u", "u"),
		file("opt/x/acl", "list").mode(0o640).xattr("system.posix_acl_access", acl(1000)),
		directory("opt/x/acl.d").mode(0o750).xattr("system.posix_acl_default", acl(100_000)),

		file("opt/x/1969", "").mtime(-86_401, 500_000_001), file("opt/x/1901", "").mtime(-1<<31+1, 1),
		file("opt/x/1970", "").mtime(0, 0), file("opt/x/2039", "").mtime(1<<31+7, 999_999_999),
		file("opt/x/2200", "").mtime(7_258_118_400, 3), symlink("opt/x/old", "1969").mtime(-1, 1),

		file("opt/x/empty", ""), file("opt/x/zeros", zeros(256)), file("opt/x/hole", ones(1)+zeros(4)+ones(1)),
		file("opt/x/tail", zeros(3)+"x"), file("opt/x/head", ones(2)+"\x00"), file("opt/x/one", "1"),

		symlink("opt/x/fast", strings.Repeat("f", 59)), symlink("opt/x/slow", strings.Repeat("s", 60)),
		symlink("opt/x/long", strings.Repeat("l/", 2047)+"l"), symlink("opt/x/up", "../../../../etc/passwd"),
		device(tar.TypeChar, "opt/x/char", 10, 200), device(tar.TypeBlock, "opt/x/block", 259, 70_000).owner(0, 6),
		device(tar.TypeFifo, "opt/x/fifo", 0, 0).mode(0o622),

		directory("opt/x/links"), file("opt/x/links/a", "linked").mode(0o600), hardlink("opt/x/links/b", "opt/x/links/a").mode(0o600),
		directory("opt/x/links/d"), hardlink("opt/x/links/d/c", "opt/x/links/a").mode(0o600),
		file("opt/x/file-dir", ""), file("opt/x/file-link", ""), file("opt/x/gone", ""),
		directory("opt/x/dir-file"), file("opt/x/dir-file/x", ""), directory("opt/x/dir-link"), file("opt/x/dir-link/x", ""),
		directory("opt/x/link-to"), file("opt/x/link-to/stays", ""), symlink("opt/x/link-dir", "link-to"), symlink("opt/x/through", "/opt/x/link-to"),
		directory("opt/x/opaque").mode(0o711), file("opt/x/opaque/a", ""), directory("opt/x/opaque/d"), file("opt/x/opaque/d/b", ""),
		directory("opt/x/kept").xattr("user.gone", "1"), file("opt/x/kept/child", "child"),
		directory("opt/x/gone.d"), directory("opt/x/gone.d/d"), file("opt/x/gone.d/d/f", ""),
		directory("opt/x/odd"),
	}
	for _, name := range oddNames {
		layer = append(layer, file("opt/x/odd/"+name, name), symlink("opt/x/odd/l"+name[:min(len(name), 254)], name))
	}
	return layer
}

// changed is the third layer: every type of file over every other, whiteouts,
// and paths through symlinks of the layers below.
func changed() []entry {
	return []entry{
		whiteout("opt/x/gone"), whiteout("opt/x/gone.d"), whiteout("opt/x/never-there"), whiteout("usr/share/doc/sudo"),
		whiteout("bin/ping6"), whiteout("etc/deluser.conf"),
		directory("opt/x/opaque").mode(0o700), opaque("opt/x/opaque"), file("opt/x/opaque/new", "new"),

		directory("opt/x/file-dir"), file("opt/x/file-dir/in", ""), symlink("opt/x/file-link", "one"),
		file("opt/x/dir-file", "was a directory"), symlink("opt/x/dir-link", "kept"),
		directory("opt/x/link-dir"), file("opt/x/link-dir/in", "not in link-to"),
		directory("opt/x/kept").mode(0o770).owner(3, 4), file("opt/x/through/new", "in link-to"),
		file("etc/issue", "replaced\n").mode(0o600), file("opt/x/one", "2").mode(0o755),

		file("opt/x/links/a", "the others keep theirs"), hardlink("opt/x/links/e", "opt/x/links/b").mode(0o600),
		hardlink("opt/x/perl", "usr/bin/perl").mode(0o755), hardlink("opt/x/char2", "opt/x/char").mode(0o660),
		directory("lib/x"), file("lib/x/y", "in usr/lib"), hardlink("bin/x", "lib/x/y"),
	}
}

// changedAgain is the fourth layer: it changes what the third did.
func changedAgain() []entry {
	return []entry{
		whiteout("opt/x/file-dir"), whiteout("opt/x/links/b"),
		directory("opt/x/gone"), file("opt/x/gone/again", "a file, nothing, a directory"),
		file("opt/x/gone.d", "a directory, nothing, a file"),
		file("opt/x/opaque/d", "a directory, nothing, a file"), hardlink("opt/x/kept/e", "opt/x/links/d/c").mode(0o600),
	}
}
