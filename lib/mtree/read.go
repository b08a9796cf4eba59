// SPDX-License-Identifier: Apache-2.0

package mtree

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
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
	var records []record
	br := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		line, err := br.ReadString('\n')
		if err != nil && (err != io.EOF || line == "") {
			if err == io.EOF {
				return build(records)
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
		records = append(records, rec)
	}
}

func atLine(number int, err error) error {
	return status.Errorf(status.Bad, "line %d: %w", number, err)
}

// build makes the tree, parents first.
func build(records []record) (*Manifest, error) {
	slices.SortStableFunc(records, func(a, b record) int {
		return cmp.Compare(len(a.path), len(b.path))
	})
	if len(records) == 0 || len(records[0].path) > 0 {
		return nil, status.Errorf(status.Bad, "no line for the root, .")
	}
	m := &Manifest{Links: make(map[*tree.Inode]int)}
	for i, rec := range records {
		if err := m.add(rec, i == 0); err != nil {
			return nil, atLine(rec.number, err)
		}
	}
	return m, nil
}

// add enters one line into the tree.
func (m *Manifest) add(rec record, first bool) error {
	if first {
		if rec.inode.Type != tree.Dir {
			return errors.New("the root is no directory")
		}
		m.Tree = tree.New(*rec.inode)
		return nil
	}
	if len(rec.path) == 0 {
		return errors.New("a second line for the root")
	}
	dir, last := m.Tree.Root, len(rec.path)-1
	for _, name := range rec.path[:last] {
		if dir = dir.Lookup(name); dir == nil || dir.Type != tree.Dir {
			return errors.New("no line makes its parent a directory")
		}
	}
	if dir.Lookup(rec.path[last]) != nil {
		return errors.New("a second line for this path")
	}
	dir.Put(rec.path[last], rec.inode, nil)
	if rec.nlink > 0 {
		m.Links[rec.inode] = rec.nlink
	}
	return nil
}

// parse reads one line.
func parse(line string) (record, error) {
	fields := strings.Fields(line)
	var rec record
	if fields[0] != "." && !strings.HasPrefix(fields[0], "./") {
		return rec, fmt.Errorf("%s: a path starts with ./", fields[0])
	}
	name, err := unescape(fields[0])
	if err != nil {
		return rec, err
	}
	if rec.path, err = tree.Split(name); err != nil {
		return rec, err
	}
	if got := strings.Join(append([]string{"."}, rec.path...), "/"); got != name {
		return rec, fmt.Errorf("%s: not a plain path", fields[0])
	}
	rec.inode = &tree.Inode{}
	p := parser{record: &rec, seen: make(map[string]bool)}
	for _, field := range fields[1:] {
		if err := p.keyword(field); err != nil {
			return rec, fmt.Errorf("%s: %w", field, err)
		}
	}
	return rec, p.complete()
}
