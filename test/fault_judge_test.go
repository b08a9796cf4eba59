// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// temporary matches the hardLinks of unfinished files.
var temporary = regexp.MustCompile(`^\..*\.staging-|^\.fetch-|^banger-pull-`)

// nothingLeft fails the test if a file below dir has a temporary name.
func nothingLeft(t testing.TB, dir string) {
	t.Helper()
	walk(t, dir, func(path string, e fs.DirEntry) error {
		if !temporary.MatchString(e.Name()) {
			return nil
		}
		t.Errorf("left behind: %s", path)
		return skip(e)
	})
}

// snapshot describes everything below a directory but for temporary hardLinks and
// what is below them: a line each with path, mode, number of hard links, and
// content or target. A missing directory is empty.
func snapshot(t testing.TB, dir string) string {
	t.Helper()
	var lines strings.Builder
	walk(t, dir, func(path string, e fs.DirEntry) error {
		if path == dir {
			return nil
		}
		if temporary.MatchString(e.Name()) {
			return skip(e)
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		content, err := contentOf(path, info)
		rel, _ := filepath.Rel(dir, path)
		fmt.Fprintf(&lines, "%q %v %d %s\n", rel, info.Mode(), hardLinks(info), content)
		return err
	})
	return lines.String()
}

// withFile removes the records of a file that does not exist from a snapshot:
// records are written first, the file is the commit.
func withFile(snapshot, file string, records ...string) string {
	if strings.Contains(snapshot, fmt.Sprintf("%q ", file)) {
		return snapshot
	}
	var kept strings.Builder
	for line := range strings.Lines(snapshot) {
		name, _ := strconv.QuotedPrefix(line)
		if name, _ = strconv.Unquote(name); !slices.Contains(records, name) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// skip skips a directory entry and everything below it.
func skip(e fs.DirEntry) error {
	if e.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// walk calls f for everything below dir, in order. A missing dir or a file
// that disappears meanwhile is no error.
func walk(t testing.TB, dir string, f func(path string, e fs.DirEntry) error) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			err = f(path, e)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hardLinks returns the number of hard links, 0 for a directory, whose count
// depends on the filesystem.
func hardLinks(info fs.FileInfo) uint64 {
	if info.IsDir() {
		return 0
	}
	return uint64(info.Sys().(*syscall.Stat_t).Nlink)
}

// timestamp is the only part of an output that differs between two runs.
var timestamp = regexp.MustCompile(`"(registered|added)": *"[^"]*"`)

func contentOf(path string, info fs.FileInfo) (string, error) {
	switch {
	case info.Name() == "image.json" || info.Name() == "kernel.json":
		b, err := os.ReadFile(path)
		return strconv.Quote(string(timestamp.ReplaceAll(b, []byte(`"when":"then"`)))), err
	case info.Mode().IsRegular():
		return hashOf(path)
	case info.Mode().Type() == fs.ModeSymlink:
		return os.Readlink(path)
	}
	return "", nil
}

func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return fmt.Sprintf("%x", h.Sum(nil)), err
}

// diffLines returns the first lines that only one of two descriptions has.
func diffLines(got, want string) string {
	g, w := strings.SplitAfter(got, "\n"), strings.SplitAfter(want, "\n")
	var lines []string
	for _, line := range g {
		if !slices.Contains(w, line) {
			lines = append(lines, "+"+line)
		}
	}
	for _, line := range w {
		if !slices.Contains(g, line) {
			lines = append(lines, "-"+line)
		}
	}
	if len(lines) > 20 {
		lines = append(lines[:20], "...\n")
	}
	return strings.Join(lines, "")
}

// checkExt4 fails the test unless e2fsck accepts every ext4 file below dir.
func checkExt4(t testing.TB, dir string) {
	t.Helper()
	walk(t, dir, func(path string, e fs.DirEntry) error {
		if strings.HasSuffix(path, ".ext4") {
			output(t, exec.Command(which("e2fsck"), "-fn", path))
		}
		return nil
	})
}
