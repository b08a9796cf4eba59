// SPDX-License-Identifier: Apache-2.0

package test

import (
	"math/rand/v2"
	"strings"

	"banger/lib/tar/tartest"
)

// A hostileStack is the layers of an image that an attacker might make.
type hostileStack struct {
	name   string
	code   int
	layers func(home string) [][]byte
	holds  map[string]string // files of the rootfs
}

var hostileStacks = []hostileStack{
	{"names", 0, filesCalled(
		"../../canary/file", "../../../../../../../../../canary/up", "./..//canary/dots", "a/../../canary/a", "/canary/root", "//canary//slashes",
		"new\nline", "-rf", "...", ".. ", "a\\..\\b", "\xff\xfe", "contents/1", "../contents/2", "1", "2", "rootfs.mtree", "../rootfs.mtree",
		"../image.json", "../config.json", "rootfs/x", ".bundle.staging-AAAAAAAAAAAAAAAA/x", strings.Repeat("n", 255)),
		map[string]string{"canary/file": "hostile", "canary/dots": "hostile", "canary/a": "hostile", "1": "hostile", "image.json": "hostile"}},
	{"an absolute name", 0, func(home string) [][]byte { return one(fileEntry(home + "/canary/file")) }, nil},
	{"a name with a NUL", 65, filesCalled("a\x00b"), nil},
	{"a component of 256 bytes", 65, filesCalled(strings.Repeat("n", 256)), nil},
	{"a name of more than 64 KiB", 65, filesCalled(strings.Repeat("n/", 32<<10) + "n"), nil},
	{"dots as the name", 65, filesCalled("a/../.."), nil},
	{"a whiteout of dots", 65, filesCalled(".wh..."), nil},
	{"a file through a file", 65, filesCalled("f", "f/../f/x", "f/x"), nil},

	{"absolute symlinks", 0, through(func(home string) string { return home + "/canary" }), nil},
	{"relative symlinks", 0, through(func(string) string { return strings.Repeat("../", 9) + "canary" }), map[string]string{"canary/file": "hostile"}},
	{"symlinks to the bundle's parent", 0, through(func(string) string { return ".." }), map[string]string{"file": "hostile"}},
	{"symlinks to /proc", 0, through(func(string) string { return "/proc/self/cwd" }), map[string]string{"proc/self/cwd/file": "hostile"}},
	{"symlinks to a file descriptor", 0, through(func(string) string { return "/proc/self/fd/3" }), map[string]string{"proc/self/fd/3/file": "hostile"}},
	{"a chain of symlinks", 0, func(home string) [][]byte {
		return one(linkEntry("a", "b"), linkEntry("b", "c/.."), linkEntry("c", home+"/canary/dir"), fileEntry("a/file"))
	}, nil},
	{"a symlink, then a file of its name", 0, func(home string) [][]byte {
		return [][]byte{archive(linkEntry("l", home+"/canary/file"), fileEntry("l")), archive(linkEntry("l", home+"/canary/1")), archive(fileEntry("l"))}
	}, map[string]string{"l": "hostile"}},
	{"a directory, then a symlink, then a file", 0, func(home string) [][]byte {
		return [][]byte{archive(fileEntry("d/file")), archive(linkEntry("d", home+"/canary")), archive(fileEntry("d/file"))}
	}, nil},
	{"a symlink to itself", 65, func(string) [][]byte { return one(linkEntry("l", "l"), fileEntry("l/x")) }, nil},
	{"a target with a NUL", 65, func(string) [][]byte { return one(tartest.Pax("linkpath", "a\x00b"), linkEntry("l", "")) }, nil},
	{"a target of 4096 bytes", 65, func(string) [][]byte {
		return one(tartest.Pax("linkpath", strings.Repeat("l", 4096)), linkEntry("l", ""))
	}, nil},

	{"a hard link to the host", 65, func(home string) [][]byte { return one(hardEntry("h", home+"/canary/file")) }, nil},
	{"a hard link out of the bundle", 65, func(string) [][]byte { return one(hardEntry("h", "../../canary/file")) }, nil},
	{"a hard link to the bundle's file", 65, func(string) [][]byte { return one(fileEntry("f"), hardEntry("h", "../config.json")) }, nil},
	{"a hard link to the root", 65, func(string) [][]byte { return one(hardEntry("h", "/")) }, nil},
	{"a hard link through a symlink", 65, func(home string) [][]byte {
		return one(linkEntry("l", home+"/canary"), hardEntry("h", "l/file"))
	}, nil},
	{"a hard link to a symlink, then a file over it", 0, func(home string) [][]byte {
		return [][]byte{archive(linkEntry("l", home+"/canary/file"), hardEntry("h", "l")), archive(fileEntry("h"))}
	}, map[string]string{"h": "hostile"}},
	{"hard links named through a symlink", 0, func(home string) [][]byte {
		return one(fileEntry("f"), linkEntry("l", home+"/canary"), hardEntry("l/file", "f"), hardEntry("l/2", "f"))
	}, nil},

	{"whiteouts", 0, func(home string) [][]byte {
		return [][]byte{
			archive(linkEntry("l", home+"/canary"), linkEntry("up", "../../..")),
			archive(fileEntry("../../.wh.canary"), fileEntry(home+"/.wh.canary"), fileEntry("l/.wh.file"), fileEntry("l/.wh..wh..opq"),
				fileEntry("up/.wh.canary"), fileEntry("up/.wh..wh..opq"), fileEntry("../.wh..wh..opq"), fileEntry("../.wh.rootfs.mtree"),
				fileEntry(".wh..wh.plnk/x"), linkEntry("l2/.wh.1", "x"), fileEntry("f")),
		}
	}, map[string]string{"f": "hostile"}},
	{"devices and modes", 0, func(home string) [][]byte {
		return one(nodeEntry("dev/sda", '4', 8, 0), nodeEntry("dev/mem", '3', 1, 1), nodeEntry("dev/null", '3', 1, 3), nodeEntry("fifo", '6', 0, 0),
			tartest.Entry{Name: "su", Type: '0', Mode: "0006777\x00", UID: "0000000\x00", Data: "su"}.Bytes(),
			tartest.Entry{Name: "sticky", Type: '5', Mode: "0007777\x00"}.Bytes(),
			hardEntry("dev/sdb", "dev/sda"), fileEntry("dev/null"), linkEntry("fifo", home+"/canary/file"), fileEntry("fifo"))
	}, map[string]string{"dev/sda": "", "dev/mem": "", "su": "su", "dev/null": "hostile", "fifo": "hostile"}},
}

// filesCalled returns a layer of files with these names.
func filesCalled(all ...string) func(string) [][]byte {
	return func(string) [][]byte {
		var entries [][]byte
		for _, name := range all {
			entries = append(entries, fileEntry(name))
		}
		return one(entries...)
	}
}

// through returns a layer of symlinks to a place outside the bundle, and two
// layers that go through them in every way.
func through(target func(home string) string) func(string) [][]byte {
	return func(home string) [][]byte {
		link := func(name string) []byte { return linkEntry(name, target(home)) }
		return [][]byte{
			archive(fileEntry("good"), link("l"), fileEntry("l/file"), link("d/l"), link("m")),
			archive(fileEntry("l/1"), fileEntry("d/l/dir/file"), tartest.Entry{Name: "m/dir/", Type: '5', Mode: "0000777\x00"}.Bytes(),
				linkEntry("m/link", "/etc/passwd"), hardEntry("m/hard", "good"), nodeEntry("m/fifo", '6', 0, 0), fileEntry("m/link")),
			archive(fileEntry("l/.wh.1"), fileEntry("l"), fileEntry("m/dir/.wh..wh..opq")),
		}
	}
}

func one(entries ...[]byte) [][]byte { return [][]byte{archive(entries...)} }

func archive(entries ...[]byte) []byte { return tartest.Archive(entries...) }

// named returns an entry with a name of any bytes and length, in a pax record
// if the header's field would truncate it.
func named(name string, e tartest.Entry) []byte {
	if len(name) < 100 && !strings.Contains(name, "\x00") {
		e.Name = name
		return e.Bytes()
	}
	return append(tartest.Pax("path", name), e.Bytes()...)
}

func fileEntry(name string) []byte { return named(name, tartest.Entry{Type: '0', Data: "hostile"}) }

func linkEntry(name, target string) []byte {
	return named(name, tartest.Entry{Type: '2', Link: target})
}

func hardEntry(name, target string) []byte {
	return named(name, tartest.Entry{Type: '1', Link: target})
}

func nodeEntry(name string, kind byte, major, minor int64) []byte {
	return named(name, tartest.Entry{Type: kind, Mode: "0006666\x00", Poke: func(h []byte) {
		copy(h[329:337], tartest.Base256(8, major))
		copy(h[337:345], tartest.Base256(8, minor))
	}})
}

// randomStack returns up to four layers of entries whose names and targets try
// to leave the bundle and to refer to one another.
func randomStack(r *rand.Rand, home string) (layers [][]byte) {
	for range 1 + r.IntN(4) {
		var entries [][]byte
		for range 1 + r.IntN(5) {
			entries = append(entries, randomEntry(r, home))
		}
		layers = append(layers, archive(entries...))
	}
	return layers
}

func randomEntry(r *rand.Rand, home string) []byte {
	name := randomPath(r, home)
	switch r.IntN(12) {
	case 0, 1, 2:
		return linkEntry(name+"l", randomPath(r, home))
	case 3:
		return hardEntry(name, randomPath(r, home))
	case 4:
		return nodeEntry(name+"n", []byte("346")[r.IntN(3)], 1, 3)
	case 5, 6:
		return named(name+"/", tartest.Entry{Type: '5', Mode: "0007777\x00"})
	case 7:
		return fileEntry(name + "/.wh..wh..opq")
	case 8:
		return fileEntry(name + "/../.wh." + randomPart(r))
	default:
		return fileEntry(name + "f")
	}
}

// randomPath returns a few components, some of them "..", from any start.
func randomPath(r *rand.Rand, home string) string {
	path := []string{"", "/", "./", "../", "../../", "../../../", strings.Repeat("../", 12), home + "/", "/proc/self/cwd/", "x/y/../../"}[r.IntN(10)]
	for range r.IntN(3) {
		path += randomPart(r) + "/"
	}
	return path + randomPart(r)
}

func randomPart(r *rand.Rand) string {
	parts := []string{"canary", "file", "dir", "1", "link", "filel", "canaryl", "dirl", "contents", "rootfs", "bundle", "rootfs.mtree", "new\nline", "a b", "\xff"}
	return parts[r.IntN(len(parts))]
}
