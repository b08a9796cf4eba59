// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"banger/lib/mtree"
)

// documents lists the pages in Markdown.
func documents(t *testing.T) []string {
	t.Helper()
	pages := []string{"../lib/README.md"}
	for _, pattern := range []string{"../*.md", "../doc/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: no pages: %v", pattern, err)
		}
		pages = append(pages, found...)
	}
	return pages
}

var (
	pageLink = regexp.MustCompile(`\]\(([^)#:]*)(?:#([\w-]+))?\)`)
	codePath = regexp.MustCompile("`((?:cmd|doc|lib|man|scripts|test)/[\\w./-]+)`")
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// TestDocuments checks that the files and sections that a page links to exist,
// and the files that it names.
func TestDocuments(t *testing.T) {
	for _, file := range documents(t) {
		page := readPage(t, file)
		for _, m := range pageLink.FindAllStringSubmatch(page, -1) {
			target := filepath.Join(filepath.Dir(file), m[1])
			if m[1] == "" {
				target = file
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			} else if m[2] != "" && !slices.Contains(anchors(readPage(t, target)), m[2]) {
				t.Errorf("%s links to %s#%s: no such section", file, m[1], m[2])
			}
		}
		for _, m := range codePath.FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s names %s: %v", file, m[1], err)
			}
		}
	}
}

// anchors returns the anchors of a page's sections, as code hosts make them.
func anchors(page string) []string {
	var found []string
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		found = append(found, strings.ReplaceAll(strings.ToLower(m[1]), " ", "-"))
	}
	return found
}

var (
	ruleNumber  = regexp.MustCompile(`(?m)^- \*\*([A-Z]\d+)\.\*\* `)
	citedRule   = regexp.MustCompile(`doc/layers\.md, ([A-Z]\d+)(?: (?:and|to) ([A-Z]\d+))?`)
	testSection = regexp.MustCompile(`name: +"([A-Z]\w+): `)
)

// TestLayerRules checks that each rule of doc/layers.md has a number of its own,
// and that each rule or section that a test cites exists.
func TestLayerRules(t *testing.T) {
	page := readPage(t, "../doc/layers.md")
	var rules []string
	for _, m := range ruleNumber.FindAllStringSubmatch(page, -1) {
		if slices.Contains(rules, m[1]) {
			t.Errorf("two rules %s", m[1])
		}
		rules = append(rules, m[1])
	}
	cited := 0
	for _, file := range goFiles(t) {
		text := readPage(t, file)
		for _, m := range citedRule.FindAllStringSubmatch(text, -1) {
			cited++
			for _, rule := range m[1:] {
				if rule != "" && !slices.Contains(rules, rule) {
					t.Errorf("%s cites %s: no such rule", file, rule)
				}
			}
		}
		if filepath.Dir(file) != "../lib/layer" {
			continue
		}
		for _, m := range testSection.FindAllStringSubmatch(text, -1) {
			cited++
			if !strings.Contains(page, "\n## "+m[1]) {
				t.Errorf("%s: %s: no such section of doc/layers.md", file, m[1])
			}
		}
	}
	if cited == 0 {
		t.Error("no test cites a rule")
	}
}

// goFiles lists the Go files of the module, but for this one.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, dir := range []string{"../cmd", "../lib", "../test"} {
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if filepath.Ext(path) == ".go" && filepath.Base(path) != "docs_test.go" {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestDesignManifest checks that lib/mtree reads the manifest in doc/design.md and
// writes it back unchanged.
func TestDesignManifest(t *testing.T) {
	_, example, found := strings.Cut(readPage(t, "../doc/design.md"), "\n```mtree\n")
	example, _, closed := strings.Cut(example, "```\n")
	if !found || !closed {
		t.Fatal("doc/design.md has no manifest")
	}
	m, err := mtree.Read(strings.NewReader(example))
	if err != nil {
		t.Fatal(err)
	}
	// Hard links in a bundle's tree show which names are one file.
	dir, err := m.Tree.Find([]string{"usr", "bin"})
	if err != nil || dir == nil {
		t.Fatalf("no ./usr/bin: %v", err)
	}
	if err := dir.Link("perl5", dir.Lookup("perl"), nil); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := mtree.Write(&again, m.Tree); err != nil {
		t.Fatal(err)
	}
	if again.String() != example {
		t.Errorf("written again, it is\n%s", again.String())
	}
}
