// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestMan checks each man page with mandoc's lint and against the tool: it
// lists exactly the flags of --help, and each is used in some session of the
// page, as a flag exists only if a session needs it. --help and --version are
// exempt.
func TestMan(t *testing.T) {
	need(t, "mandoc")
	for _, file := range manPages(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			page := readPage(t, file)
			lint(t, file)
			references(t, page)
			if program := programOf(file); program != "" {
				flags(t, page, helpFlags(output(t, exec.Command(program, "--help"))))
			}
		})
	}
}

// programOf returns the program that a page describes, or "".
func programOf(page string) string {
	base := filepath.Base(page)
	name := strings.TrimSuffix(base, filepath.Ext(base))
	switch filepath.Ext(base) {
	case ".1":
		return filepath.Join(bin, name)
	case ".8":
		return filepath.Join(libexec(), name)
	}
	return ""
}

// libexec is the directory of the programs for guests of the host's
// architecture.
func libexec() string { return filepath.Join(bin, "../libexec/banger", runtime.GOARCH) }

// TestManPages checks that the installed tools and pages match.
func TestManPages(t *testing.T) {
	tools := baseNames(t, filepath.Join(bin, "banger*"), "")
	pages := baseNames(t, filepath.Join(bin, "../share/man/man1/*.1"), ".1")
	if !slices.Equal(tools, pages) {
		t.Errorf("installed tools %q, pages %q", tools, pages)
	}
	guests := baseNames(t, filepath.Join(libexec(), "*"), "")
	if pages := baseNames(t, filepath.Join(bin, "../share/man/man8/*.8"), ".8"); !slices.Equal(guests, pages) {
		t.Errorf("installed guest programs %q, pages %q", guests, pages)
	}
	if _, err := os.Stat(filepath.Join(bin, "../share/man/man7/banger.7")); err != nil {
		t.Error(err)
	}
}

var overview = regexp.MustCompile(`(?m)^\.It Xr (\S+) \d\n(.+)$`)

// TestOverview checks that README's table of the tools matches banger(7)'s.
func TestOverview(t *testing.T) {
	page, _, _ := strings.Cut(readPage(t, "../man/banger.7"), "\n.Sh PIPELINES\n")
	want := "| tool | what it does |\n|---|---|\n"
	for _, m := range overview.FindAllStringSubmatch(page, -1) {
		want += "| `" + m[1] + "` | " + m[2] + " |\n"
	}
	if !strings.Contains(readPage(t, "../README.md"), "\n"+want+"\n") {
		t.Errorf("README.md does not have this table:\n%s", want)
	}
}

// manPages returns the sources of all pages.
func manPages(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../man/*.[178]")
	if err != nil || len(files) == 0 {
		t.Fatalf("no man pages: %v", err)
	}
	return files
}

// baseNames returns the sorted base names of a pattern's matches, less a
// suffix.
func baseNames(t *testing.T, pattern, suffix string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), suffix)
	}
	slices.Sort(files)
	return files
}

func readPage(t *testing.T, file string) string {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// lint checks the markup with mandoc.
func lint(t *testing.T, file string) {
	t.Helper()
	if out, err := exec.Command("mandoc", "-T", "lint", "-W", "warning", file).CombinedOutput(); err != nil {
		t.Errorf("mandoc -T lint: %v\n%s", err, out)
	}
}

var xr = regexp.MustCompile(`(?m)^\.(?:It )?Xr (banger\S*) (\d)`)

// references checks that the pages of banger that a page refers to exist.
func references(t *testing.T, page string) {
	t.Helper()
	for _, m := range xr.FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat("../man/" + m[1] + "." + m[2]); err != nil {
			t.Errorf(".Xr %s %s: no such page", m[1], m[2])
		}
	}
}

// flags compares a page's list of flags, and its sessions, with --help.
func flags(t *testing.T, page string, help []string) {
	t.Helper()
	if list := listedFlags(page); !slices.Equal(list, help) {
		t.Errorf("the page lists %q, --help lists %q", list, help)
	}
	used := sessionWords(page)
	for _, flag := range help {
		custom := strings.HasSuffix(flag, "--help") || flag == "--version"
		if !custom && !slices.ContainsFunc(strings.Split(flag, ", "), func(f string) bool { return slices.Contains(used, f) }) {
			t.Errorf("%s: not used in EXAMPLES", flag)
		}
	}
}

var helpLine = regexp.MustCompile(`(?m)^ +((?:-\w, )?--[\w-]+) `)

// helpFlags returns the flags that --help lists, as in "-o, --output".
func helpFlags(help string) []string {
	_, list, _ := strings.Cut(help, "\nFlags:\n")
	var found []string
	for _, m := range helpLine.FindAllStringSubmatch(list+"\n", -1) {
		found = append(found, m[1])
	}
	return found
}

var item = regexp.MustCompile(`(?m)^\.It Fl (?:(\w) , )?(-[\w-]+)`)

// listedFlags returns the flags of a page's lists, in the form of helpFlags.
func listedFlags(page string) []string {
	var found []string
	for _, m := range item.FindAllStringSubmatch(page, -1) {
		flag := "-" + m[2]
		if m[1] != "" {
			flag = "-" + m[1] + ", " + flag
		}
		found = append(found, flag)
	}
	return found
}

// sessionWords returns the words typed in a page's EXAMPLES: those of lines
// that start with a shell's prompt $ or continuation prompt >.
func sessionWords(page string) []string {
	_, examples, _ := strings.Cut(page, "\n.Sh EXAMPLES\n")
	examples, _, _ = strings.Cut(examples, "\n.Sh ")
	var words []string
	for line := range strings.Lines(examples) {
		if strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "> ") {
			words = append(words, strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" =\n", r) })...)
		}
	}
	return words
}
