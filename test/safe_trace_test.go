// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

// A pathSet holds paths that banger makes up itself, what differs from run to
// run taken out.
type pathSet map[string]bool

// plainPath takes out of a path what differs from run to run.
func (h *host) plainPath(path string) string {
	path = strings.ReplaceAll(path, h.home, "$HOME")
	path = regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(path, "$$DIGEST")
	return regexp.MustCompile(`\.staging-\w+`).ReplaceAllString(path, ".staging-$$RANDOM")
}

// harmlessPaths are the paths of all system calls of two runs whose archives
// have no name but "f": one that succeeds and one that does not.
func harmlessPaths(t *testing.T, id uint32) pathSet {
	t.Helper()
	paths := pathSet{}
	for _, flag := range []byte{'0', '!'} {
		h := newHost(t, id)
		for _, c := range h.trace([][]byte{tartest.Archive(tartest.Entry{Name: "f", Type: flag, Data: "f"}.Bytes())}) {
			for _, p := range c.paths {
				paths[h.plainPath(p.full())] = true
			}
		}
	}
	return paths
}

// traced flattens some archives under strace(1), and judges each system call
// that takes a path, or changes a file in another way than by writing to what
// was opened so.
func (h *host) traced(archives [][]byte, harmless pathSet) (code int) {
	h.t.Helper()
	calls := h.traceInto(archives, &code)
	if len(calls) < 20 {
		h.t.Fatalf("only %d system calls were traced", len(calls))
	}
	for _, c := range calls {
		if why := h.wrong(c, harmless); why != "" {
			h.t.Errorf("%s: %.500s", why, c.line)
		}
	}
	return code
}

// wrong tells what is wrong with a call. A path is one of those that every run
// has, or a mere name in a directory of the bundle's that is open. What changes
// a file does so in the bundle.
func (h *host) wrong(c call, harmless pathSet) string {
	for _, p := range c.paths {
		name := h.isName(p)
		switch {
		case !name && !harmless[h.plainPath(p.full())]:
			return "a path that only this archive brings about: " + p.full()
		case name && p.name != "" && c.name == "openat" && !strings.Contains(c.line, "O_NOFOLLOW"):
			return "a symlink would be followed"
		case c.changes() && !h.within(p.full()):
			return "changes what is not the bundle's: " + p.full()
		}
	}
	return ""
}

// number is what banger calls a content that waits for its name.
var number = regexp.MustCompile(`^\d+/\d+$`)

// isName tells a path that is the name of something in an open directory of the
// bundle's, or, in that of the contents, a number.
func (h *host) isName(p callPath) bool {
	dir, base := filepath.Split(p.at)
	contents := base == "contents" && filepath.Dir(filepath.Clean(dir)) == filepath.Join(h.home, out)
	switch {
	case p.at == "" || !h.within(p.at):
		return false
	case contents && number.MatchString(p.name):
		return true
	}
	return !strings.Contains(p.name, "/") && p.name != "." && p.name != ".."
}

// within tells the paths of the bundle, and of what is to become it.
func (h *host) within(path string) bool {
	rest, ok := strings.CutPrefix(path, filepath.Join(h.home, out)+"/")
	top, _, _ := strings.Cut(rest, "/")
	return ok && (top == "bundle" || regexp.MustCompile(`^\.bundle\.staging-\w+$`).MatchString(top))
}

// A call is a system call that strace(1) has written down.
type call struct {
	name, line string
	paths      []callPath
}

// A callPath is a path that a call takes: at is the directory it is relative
// to, empty if that is the working directory.
type callPath struct{ at, cwd, name string }

func (p callPath) full() string {
	if filepath.IsAbs(p.name) {
		return filepath.Clean(p.name)
	}
	return filepath.Join(p.at+p.cwd, p.name)
}

// changes tells the calls that change a file or a directory, or open one to be
// changed.
func (c call) changes() bool {
	switch c.name {
	case "openat":
		return regexp.MustCompile(`O_(WRONLY|RDWR|CREAT|TRUNC|TMPFILE)`).MatchString(c.line)
	case "execve", "readlink", "readlinkat", "newfstatat", "statx", "faccessat", "faccessat2", "access":
		return false
	}
	return true
}

// pathArguments are where calls have their paths: the argument that is the
// directory, none being -1, and that which is the path. Calls that are not here
// fail the test.
var pathArguments = map[string][][2]int{
	"execve": {{-1, 0}}, "access": {{-1, 0}}, "readlink": {{-1, 0}},
	"openat": {{0, 1}}, "newfstatat": {{0, 1}}, "statx": {{0, 1}}, "faccessat": {{0, 1}}, "faccessat2": {{0, 1}}, "readlinkat": {{0, 1}},
	"mkdirat": {{0, 1}}, "unlinkat": {{0, 1}}, "fchmodat": {{0, 1}}, "utimensat": {{0, 1}}, "symlinkat": {{1, 2}},
	"linkat": {{0, 1}, {2, 3}}, "renameat": {{0, 1}, {2, 3}}, "renameat2": {{0, 1}, {2, 3}},
	// Of an open file alone.
	"fchmod": {{0, -1}}, "fchown": {{0, -1}}, "ftruncate": {{0, -1}}, "fallocate": {{0, -1}}, "fsetxattr": {{0, -1}},
}

// traceCalls are what strace is to write down: all that takes a path, what
// changes an open file otherwise than by writing, and io_uring, which does
// either without a call.
const traceCalls = "trace=%file,fchmod,fchown,ftruncate,fallocate,fsetxattr,fremovexattr,io_uring_setup"

func (h *host) trace(archives [][]byte) []call {
	h.t.Helper()
	var code int
	return h.traceInto(archives, &code)
}

func (h *host) traceInto(archives [][]byte, code *int) (calls []call) {
	h.t.Helper()
	logs := scratch(h.t)
	if err := os.Chown(logs, int(h.id), int(h.id)); err != nil {
		h.t.Fatal(err)
	}
	// A file for each thread: no call is cut in two. Strings in hexadecimal.
	*code = h.flatten(archives, which("strace"), "-ff", "-qq", "-y", "-xx", "-s", "70000", "-e", traceCalls, "-e", "signal=none", "-o", logs+"/log")
	for _, name := range list(h.t, logs) {
		for line := range strings.Lines(read(h.t, filepath.Join(logs, name))) {
			if strings.HasPrefix(line, "???(") {
				continue // a thread that ended with its process, in no call
			}
			calls = append(calls, h.parse(strings.TrimSuffix(line, "\n")))
		}
	}
	return calls
}

// parse takes a line of strace's apart.
func (h *host) parse(line string) call {
	h.t.Helper()
	name, rest, _ := strings.Cut(line, "(")
	where, known := pathArguments[name]
	if !known && name != "getcwd" {
		h.t.Fatalf("a system call that the test does not know: %.500s", line)
	}
	arguments := strings.Split(rest, ", ") // those before any structure, which has such commas too
	c := call{name: name, line: line}
	for _, w := range where {
		p := callPath{cwd: h.home}
		if w[0] >= 0 {
			at := arguments[w[0]]
			if path := h.decode(at, "<", ">"); !strings.HasPrefix(at, "AT_FDCWD") {
				p.at, p.cwd = path, ""
			}
		}
		if w[1] >= 0 && !strings.HasPrefix(arguments[w[1]], "NULL") {
			p.name = h.decode(arguments[w[1]], `"`, `"`)
		}
		c.paths = append(c.paths, p)
	}
	return c
}

// decode is what stands between two marks, of hexadecimal escapes.
func (h *host) decode(text, from, to string) string {
	h.t.Helper()
	_, text, _ = strings.Cut(text, from)
	text, _, ok := strings.Cut(text, to)
	b, err := hex.DecodeString(strings.ReplaceAll(text, `\x`, ""))
	if !ok || err != nil {
		h.t.Fatalf("strace wrote %.300q: %v", text, err)
	}
	return string(b)
}
