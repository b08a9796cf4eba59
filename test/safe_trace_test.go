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

// A pathSet is a set of paths that banger chooses itself, without the parts
// that differ between runs.
type pathSet map[string]bool

// plainPath replaces the parts of a path that differ between runs.
func (h *host) plainPath(path string) string {
	path = strings.ReplaceAll(path, h.home, "$HOME")
	path = regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(path, "$$DIGEST")
	return regexp.MustCompile(`\.staging-\w+`).ReplaceAllString(path, ".staging-$$RANDOM")
}

// harmlessPaths returns the paths of all system calls of two runs whose
// archives have no name but "f": one that succeeds and one that fails.
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

// traced flattens archives under strace(1), and checks each system call that
// takes a path, or changes a file other than by writing to it.
func (h *host) traced(archives [][]byte, harmless pathSet) (code int) {
	h.t.Helper()
	calls := h.traceInto(archives, &code)
	if len(calls) < 20 {
		h.t.Fatalf("only %d system calls were traced", len(calls))
	}
	for _, c := range calls {
		if problem := h.problem(c, harmless); problem != "" {
			h.t.Errorf("%s: %.500s", problem, c.line)
		}
	}
	return code
}

// problem describes what is wrong with a call, or returns "". A path must be
// one that every run has, or a plain name in an open directory of the bundle.
// Changes must be in the bundle.
func (h *host) problem(c call, harmless pathSet) string {
	for _, p := range c.paths {
		name := h.isName(p)
		switch {
		case !name && !harmless[h.plainPath(p.full())]:
			return "a path of the archive: " + p.full()
		case name && p.name != "" && c.name == "openat" && !strings.Contains(c.line, "O_NOFOLLOW"):
			return "a symlink would be followed"
		case c.changes() && !h.within(p.full()):
			return "changes a file outside the bundle: " + p.full()
		}
	}
	return ""
}

// number matches the name of a pool file, content that is not linked yet.
var number = regexp.MustCompile(`^\d+/\d+$`)

// isName reports whether a path is a plain name in an open directory of the
// bundle, or, in its contents directory, a number.
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

// within reports whether a path is in the bundle or its staging directory.
func (h *host) within(path string) bool {
	rest, ok := strings.CutPrefix(path, filepath.Join(h.home, out)+"/")
	top, _, _ := strings.Cut(rest, "/")
	return ok && (top == "bundle" || regexp.MustCompile(`^\.bundle\.staging-\w+$`).MatchString(top))
}

// A call is a system call logged by strace(1).
type call struct {
	name, line string
	paths      []callPath
}

// A callPath is a path argument of a call, relative to the directory at, or to
// the working directory cwd if at is empty.
type callPath struct{ at, cwd, name string }

func (p callPath) full() string {
	if filepath.IsAbs(p.name) {
		return filepath.Clean(p.name)
	}
	return filepath.Join(p.at+p.cwd, p.name)
}

// changes reports whether a call changes a file or opens one for writing.
func (c call) changes() bool {
	switch c.name {
	case "openat":
		return regexp.MustCompile(`O_(WRONLY|RDWR|CREAT|TRUNC|TMPFILE)`).MatchString(c.line)
	case "execve", "readlink", "readlinkat", "newfstatat", "statx", "faccessat", "faccessat2", "access":
		return false
	}
	return true
}

// pathArguments are the path arguments of calls: the number of the directory
// argument, or -1, and of the path. Other calls fail the test.
var pathArguments = map[string][][2]int{
	"execve": {{-1, 0}}, "access": {{-1, 0}}, "readlink": {{-1, 0}},
	"openat": {{0, 1}}, "newfstatat": {{0, 1}}, "statx": {{0, 1}}, "faccessat": {{0, 1}}, "faccessat2": {{0, 1}}, "readlinkat": {{0, 1}},
	"mkdirat": {{0, 1}}, "unlinkat": {{0, 1}}, "fchmodat": {{0, 1}}, "utimensat": {{0, 1}}, "symlinkat": {{1, 2}},
	"linkat": {{0, 1}, {2, 3}}, "renameat": {{0, 1}, {2, 3}}, "renameat2": {{0, 1}, {2, 3}},
	// An open file only.
	"fchmod": {{0, -1}}, "fchown": {{0, -1}}, "ftruncate": {{0, -1}}, "fallocate": {{0, -1}}, "fsetxattr": {{0, -1}},
}

// traceCalls are the calls to log: those with a path, those that change an open
// file other than by writing, and io_uring, which needs no calls for either.
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
	// One log per thread, so that no call is split. Strings in hexadecimal.
	*code = h.flatten(archives, which("strace"), "-ff", "-qq", "-y", "-xx", "-s", "70000", "-e", traceCalls, "-e", "signal=none", "-o", logs+"/log")
	for _, name := range list(h.t, logs) {
		for line := range strings.Lines(read(h.t, filepath.Join(logs, name))) {
			if strings.HasPrefix(line, "???(") {
				continue // a thread that ended with its process, outside a call
			}
			calls = append(calls, h.parse(strings.TrimSuffix(line, "\n")))
		}
	}
	return calls
}

// parse parses a line of strace.
func (h *host) parse(line string) call {
	h.t.Helper()
	name, rest, _ := strings.Cut(line, "(")
	where, known := pathArguments[name]
	if !known && name != "getcwd" {
		h.t.Fatalf("unknown system call: %.500s", line)
	}
	arguments := strings.Split(rest, ", ") // only those before a structure, which has commas too
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

// decode decodes the hexadecimal escapes between two marks.
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
