// SPDX-License-Identifier: Apache-2.0

package mtree

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"banger/lib/status"
	"banger/lib/tree"
)

// A Manifest is what Read has read.
type Manifest struct {
	Tree *tree.Tree
	// Links holds the nlink= of files that have one. Which names are one
	// file the manifest does not say: in Tree each is an inode of its own.
	Links map[*tree.Inode]int
}

// A record is one line.
type record struct {
	number int
	path   []string
	inode  *tree.Inode
	nlink  int
}

// Read reads a manifest, its lines in any order. Errors name the line.
func Read(r io.Reader) (*Manifest, error) {
	m := &Manifest{Links: make(map[*tree.Inode]int)}
	var early []record // before those of their parents
	br := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		line, err := br.ReadString('\n')
		if err != nil && (err != io.EOF || line == "") {
			if err == io.EOF {
				return m, m.addEarly(early)
			}
			return nil, err
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		rec, err := parse(line)
		if err != nil {
			return nil, atLine(number, err)
		}
		rec.number = number
		if dir := m.parent(rec); dir == nil && len(rec.path) > 0 {
			early = append(early, rec)
		} else if err := m.add(dir, rec); err != nil {
			return nil, atLine(number, err)
		}
	}
}

func atLine(number int, err error) error {
	return status.Errorf(status.Bad, "line %d: %w", number, err)
}

// addEarly enters the lines that came before those of their parents, the
// highest directories first.
func (m *Manifest) addEarly(records []record) error {
	if m.Tree == nil {
		return status.Errorf(status.Bad, "no line for the root, .")
	}
	slices.SortStableFunc(records, func(a, b record) int {
		return cmp.Compare(len(a.path), len(b.path))
	})
	for _, rec := range records {
		if err := m.add(m.parent(rec), rec); err != nil {
			return atLine(rec.number, err)
		}
	}
	return nil
}

// parent returns the directory that a line's path is in, nil if it has none yet.
func (m *Manifest) parent(rec record) *tree.Inode {
	if m.Tree == nil || len(rec.path) == 0 {
		return nil
	}
	dir := m.Tree.Root
	for _, name := range rec.path[:len(rec.path)-1] {
		if dir = dir.Lookup(name); dir == nil || dir.Type != tree.Dir {
			return nil
		}
	}
	return dir
}

// add enters one line into the tree.
func (m *Manifest) add(dir *tree.Inode, rec record) error {
	switch {
	case len(rec.path) == 0 && m.Tree != nil:
		return errors.New("a second line for the root")
	case len(rec.path) == 0 && rec.inode.Type != tree.Dir:
		return errors.New("the root is no directory")
	case len(rec.path) == 0:
		m.Tree = tree.New(*rec.inode)
		return nil
	case dir == nil:
		return errors.New("no line makes its parent a directory")
	}
	name := strings.Clone(rec.path[len(rec.path)-1]) // not to keep the line
	if dir.Lookup(name) != nil {
		return errors.New("a second line for this path")
	}
	dir.Put(name, rec.inode, nil)
	if rec.nlink > 0 {
		m.Links[rec.inode] = rec.nlink
	}
	return nil
}

// Line returns the number of the line that a path has in a manifest, however
// it is spelled there, or 0.
func Line(r io.Reader, path string) int {
	want, err := unescape(path)
	if err != nil {
		return 0
	}
	br := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		line, err := br.ReadString('\n')
		path, _ := cutPath(strings.TrimSpace(line))
		if name, bad := unescape(path); bad == nil && name == want {
			return number
		}
		if err != nil {
			return 0
		}
	}
}

// cutPath splits a line behind its path.
func cutPath(line string) (path, keywords string) {
	if end := strings.IndexAny(line, " \t"); end >= 0 {
		return line[:end], line[end:]
	}
	return line, ""
}

// parse reads one line.
func parse(line string) (record, error) {
	path, keywords := cutPath(line)
	var rec record
	if path != "." && !strings.HasPrefix(path, "./") {
		return rec, fmt.Errorf("%s: a path starts with ./", brief(path))
	}
	name, err := unescape(path)
	if err != nil {
		return rec, err
	}
	if rec.path, err = tree.Split(name); err != nil {
		return rec, err
	}
	if !isPlain(name, rec.path) {
		return rec, fmt.Errorf("%s: not a plain path", brief(path))
	}
	rec.inode = &tree.Inode{}
	p := parser{record: &rec}
	for field := range strings.FieldsSeq(keywords) {
		if err := p.keyword(field); err != nil {
			return rec, fmt.Errorf("%s: %w", brief(field), wrong(err))
		}
	}
	return rec, p.complete()
}

// brief is as much of a path or keyword as a message needs: a line may be as
// long as the file.
func brief(s string) string {
	if len(s) > 200 {
		return s[:200] + "..."
	}
	return s
}

// wrong says what a number lacks, without the name of the function that
// found it.
func wrong(err error) error {
	if number := (*strconv.NumError)(nil); errors.As(err, &number) {
		return number.Err
	}
	return err
}

// isPlain reports whether a name is "." and its components, and nothing else.
func isPlain(name string, components []string) bool {
	length := 1
	for _, c := range components {
		length += 1 + len(c)
	}
	return length == len(name)
}
