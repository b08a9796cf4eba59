// SPDX-License-Identifier: Apache-2.0

package mtree

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"banger/lib/input"
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

// MaxSize is how long a manifest may be, in bytes: some 16 million lines.
const MaxSize = 2 << 30

// maxLine is how long a line may be, in bytes. A path of as many directories as
// lib/tree allows takes 1 MiB when all its bytes are escaped; the attributes that
// fit into the extended headers of a tar, 4 MiB, take at most 16 MiB.
const maxLine = 20 << 20

// Read reads a manifest, its lines in any order. Errors name the line. One that
// is longer than MaxSize is refused.
func Read(r io.Reader) (*Manifest, error) { return read(r, MaxSize) }

func read(r io.Reader, most int64) (*Manifest, error) {
	m := &Manifest{Links: make(map[*tree.Inode]int)}
	var early []record // before those of their parents
	lines, size := input.NewLines(r, maxLine), int64(0)
	for {
		line, err := lines.Next()
		switch size += int64(len(line)) + 1; {
		case err == io.EOF:
			return m, m.addEarly(early)
		case err != nil:
			return nil, err
		case size > most:
			return nil, errTooLong
		}
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		rec, err := parse(line)
		if err != nil {
			return nil, atLine(lines.Number, err)
		}
		rec.number = lines.Number
		if dir := m.parent(rec); dir == nil && len(rec.path) > 0 {
			early = append(early, rec)
		} else if err := m.add(dir, rec); err != nil {
			return nil, atLine(lines.Number, err)
		}
	}
}

var errTooLong = status.Errorf(status.Bad, "a manifest of more than %d bytes", int64(MaxSize))

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
	lines := input.NewLines(r, maxLine)
	for {
		line, err := lines.Next()
		if err != nil {
			return 0
		}
		path, _ := cutPath(strings.TrimSpace(line))
		if name, bad := unescape(path); bad == nil && name == want {
			return lines.Number
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
