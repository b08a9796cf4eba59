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

// A Manifest is a parsed manifest.
type Manifest struct {
	Tree *tree.Tree
	// Links holds the nlink= of files that have one. A manifest does not tell
	// which names are hard links of one file: in Tree each has its own inode.
	Links map[*tree.Inode]int
}

// A record is a parsed line.
type record struct {
	number int
	path   []string
	inode  *tree.Inode
	nlink  int
}

// MaxSize limits the size of a manifest, in bytes: some 16 million lines.
const MaxSize = 2 << 30

// maxLine limits the length of a line, in bytes. The longest path that lib/tree
// allows takes 1 MiB with all bytes escaped; the attributes that fit into the
// extended headers of a tar, 4 MiB, take at most 16 MiB.
const maxLine = 20 << 20

// Read reads a manifest. The lines may be in any order. Errors name the line. A
// manifest larger than MaxSize is rejected.
func Read(r io.Reader) (*Manifest, error) { return read(r, MaxSize) }

func read(r io.Reader, limit int64) (*Manifest, error) {
	m := &Manifest{Links: make(map[*tree.Inode]int)}
	var early []record // lines before those of their parents
	lines, size := input.NewLines(r, maxLine), int64(0)
	for {
		line, err := lines.Next()
		switch size += int64(len(line)) + 1; {
		case err == io.EOF:
			return m, m.addEarly(early)
		case err != nil:
			return nil, err
		case size > limit:
			return nil, errTooLarge
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

var errTooLarge = status.Errorf(status.Bad, "manifest too large (limit %d bytes)", int64(MaxSize))

func atLine(number int, err error) error {
	return status.Errorf(status.Bad, "line %d: %w", number, err)
}

// addEarly adds the lines that came before those of their parents, the topmost
// directories first.
func (m *Manifest) addEarly(records []record) error {
	if m.Tree == nil {
		return status.Errorf(status.Bad, "missing line for the root, .")
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

// parent returns the directory of a line's path, nil if it has no line yet.
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

// add adds a line to the tree.
func (m *Manifest) add(dir *tree.Inode, rec record) error {
	switch {
	case len(rec.path) == 0 && m.Tree != nil:
		return errors.New("duplicate line for the root")
	case len(rec.path) == 0 && rec.inode.Type != tree.Dir:
		return errors.New("root is not a directory")
	case len(rec.path) == 0:
		m.Tree = tree.New(*rec.inode)
		return nil
	case dir == nil:
		return errors.New("parent is missing or not a directory")
	}
	name := strings.Clone(rec.path[len(rec.path)-1]) // do not retain the line
	if dir.Lookup(name) != nil {
		return errors.New("duplicate path")
	}
	dir.Put(name, rec.inode, nil)
	if rec.nlink > 0 {
		m.Links[rec.inode] = rec.nlink
	}
	return nil
}

// Line returns the number of the line of a path in a manifest, or 0. It matches
// any escaping of the path.
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
		if name, err := unescape(path); err == nil && name == want {
			return lines.Number
		}
	}
}

// cutPath splits a line after the path.
func cutPath(line string) (path, keywords string) {
	if end := strings.IndexAny(line, " \t"); end >= 0 {
		return line[:end], line[end:]
	}
	return line, ""
}

// parse parses one line.
func parse(line string) (record, error) {
	path, keywords := cutPath(line)
	var rec record
	if path != "." && !strings.HasPrefix(path, "./") {
		return rec, fmt.Errorf("%s: path does not start with ./", truncate(path))
	}
	name, err := unescape(path)
	if err != nil {
		return rec, err
	}
	if rec.path, err = tree.Split(name); err != nil {
		return rec, err
	}
	if !isClean(name, rec.path) {
		return rec, fmt.Errorf("%s: path is not clean", truncate(path))
	}
	rec.inode = &tree.Inode{}
	p := parser{record: &rec}
	for field := range strings.FieldsSeq(keywords) {
		if err := p.keyword(field); err != nil {
			return rec, fmt.Errorf("%s: %w", truncate(field), numError(err))
		}
	}
	return rec, p.complete()
}

// truncate shortens a path or keyword for a message.
func truncate(s string) string {
	if len(s) > 200 {
		return s[:200] + "..."
	}
	return s
}

// numError removes the name of the function from an error of strconv.
func numError(err error) error {
	if number := (*strconv.NumError)(nil); errors.As(err, &number) {
		return number.Err
	}
	return err
}

// isClean reports whether a name is "." followed by the components and nothing
// else.
func isClean(name string, components []string) bool {
	length := 1
	for _, c := range components {
		length += 1 + len(c)
	}
	return length == len(name)
}
