// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
)

// A stack is a random stack of layers. While it grows it tracks the merged
// tree, so that every entry can be unpacked.
type stack struct {
	*rand.Rand
	layers []*layerPlan
	root   *node
	links  map[string]string // path of a symlink → path of its directory
	cases  map[string]bool   // the cases that the stack covers
}

// A node is a file of the merged tree.
type node struct {
	entry *entry
	layer int              // number of the layer that created it
	split bool             // has hard links from several layers
	names map[string]*node // children; nil unless a directory
}

// A layerPlan is a layer, both as archive entries and as changes for consumers
// that read no archives.
type layerPlan struct {
	entries []entry
	changes []change
	dirs    map[string]*entry // every directory of the merged tree, by path
}

// A change is what a layer does at a path. A change with nil made removes what
// the layers below have there.
type change struct {
	path   string
	made   *entry
	link   string // a path in this layer that it is hard linked to
	merged bool   // a directory over a directory
	opaque bool   // an opaque directory
}

// newStack returns the stack of a seed.
func newStack(seed uint64) *stack {
	s := &stack{Rand: rand.New(rand.NewPCG(seed, 3)), links: map[string]string{}, cases: map[string]bool{}}
	s.root = &node{names: map[string]*node{}}
	for range 2 + s.IntN(4) {
		s.addLayer()
	}
	return s
}

// layer returns the layer under construction.
func (s *stack) layer() *layerPlan { return s.layers[len(s.layers)-1] }

// addLayer adds a layer of whiteouts and entries. Whiteouts apply to the
// layers below wherever they stand in the archive.
func (s *stack) addLayer() {
	l := &layerPlan{dirs: map[string]*entry{}}
	s.layers = append(s.layers, l)
	if len(s.layers) == 1 || s.IntN(3) == 0 {
		s.setRoot()
	}
	late := s.IntN(2) == 0
	s.cases[fmt.Sprint("late whiteouts: ", late)] = true
	var markers []entry
	if len(s.layers) > 1 {
		for range s.IntN(6) {
			markers = append(markers, s.addWhiteout(!late))
		}
	}
	if !late {
		l.entries = append(l.entries, markers...)
	}
	for range 10 + s.IntN(25) {
		s.addEntry(!late)
	}
	if late {
		l.entries = append(l.entries, markers...)
	}
	s.root.walk(".", func(path string, n *node) {
		if n.names != nil {
			l.dirs[path] = n.entry
		}
	})
}

// whiteoutsFirst returns the entries, whiteouts before the others.
func (l *layerPlan) whiteoutsFirst() (entries []entry) {
	var others []entry
	for _, e := range l.entries {
		if strings.HasPrefix(filepath.Base(e.Name), ".wh.") {
			entries = append(entries, e)
		} else {
			others = append(others, e)
		}
	}
	return append(entries, others...)
}

func (s *stack) setRoot() {
	e := s.withMetadata(directory("."))
	s.root.entry = &e
	s.layer().entries = append(s.layer().entries, e)
}

// addWhiteout removes a file of the layers below, or the content of a
// directory, and returns the whiteout or opaque marker.
func (s *stack) addWhiteout(throughLinks bool) entry {
	dir, path := s.pick(func(n *node) bool { return n.names != nil })
	if names := slices.Sorted(maps.Keys(dir.names)); len(names) > 0 && s.IntN(4) > 0 {
		name := names[s.IntN(len(names))]
		s.cases["whiteout of "+dir.names[name].kind()] = true
		delete(dir.names, name)
		s.layer().changes = append(s.layer().changes, change{path: filepath.Join(path, name)})
		return s.withTime(whiteout(s.spell(path, throughLinks) + "/" + name))
	}
	s.cases["opaque"] = true
	if path == "." {
		for _, name := range slices.Sorted(maps.Keys(dir.names)) {
			s.layer().changes = append(s.layer().changes, change{path: name})
		}
	} else {
		s.layer().changes = append(s.layer().changes, change{path: path, opaque: true})
	}
	clear(dir.names)
	return s.withTime(opaque(s.spell(path, throughLinks)))
}

// addEntry adds an entry to the layer; it replaces what has its path.
func (s *stack) addEntry(throughLinks bool) {
	dir, parent := s.pick(func(n *node) bool { return n.names != nil })
	name := string("abcdef"[s.IntN(6)])
	path, spelled := filepath.Join(parent, name), s.spell(parent, throughLinks)+"/"+name
	old, l := dir.names[name], s.layer()
	if s.IntN(5) == 0 && s.addHardLink(dir, name, path, spelled) {
		return
	}
	e := s.newEntry(spelled, path)
	n := &node{entry: &e, layer: len(s.layers)}
	s.cases[n.kind()+" over "+old.kind()] = true
	c := change{path: path, made: &e}
	if e.Typeflag == tar.TypeDir {
		n.names = map[string]*node{}
		if old != nil && old.names != nil {
			n.names, c.merged = old.names, true
		}
	}
	dir.names[name] = n
	l.entries, l.changes = append(l.entries, e), append(l.changes, c)
}

// addHardLink links a random file to a path. It reports false if there is no
// file that can be linked there.
func (s *stack) addHardLink(dir *node, name, path, spelled string) bool {
	n, target := s.pick(func(n *node) bool { return n.names == nil })
	if n == nil || dir.names[name] == n || strings.HasPrefix(target+"/", path+"/") {
		return false
	}
	c := change{path: path, made: n.entry}
	if n.layer == len(s.layers) && !n.split {
		c.link = target
	} else {
		n.split = true
	}
	s.cases[fmt.Sprintf("hard link to %s, of a layer below: %v", n.kind(), n.split)] = true
	s.cases["hard link over "+dir.names[name].kind()] = true
	dir.names[name] = n
	s.layer().entries = append(s.layer().entries, s.withTime(hardlink(spelled, target)))
	s.layer().changes = append(s.layer().changes, c)
	to, ok := s.links[target]
	delete(s.links, path)
	if ok && filepath.IsAbs(n.entry.Linkname) {
		s.links[path] = to
	}
	return true
}

// newEntry returns an entry of a random type.
func (s *stack) newEntry(spelled, path string) entry {
	delete(s.links, path)
	switch s.IntN(12) {
	case 0, 1, 2, 3:
		return s.withMetadata(directory(spelled))
	case 4, 5:
		return s.withMetadata(s.symlink(spelled, path))
	case 6:
		return s.withMetadata(device(tar.TypeChar, spelled, 1+s.Int64N(200), s.Int64N(1000)))
	case 7:
		return s.withMetadata(device(tar.TypeBlock, spelled, s.Int64N(200), 1+s.Int64N(1000)))
	case 8:
		return s.withMetadata(device(tar.TypeFifo, spelled, 0, 0))
	default:
		data := []string{"", spelled, ones(1) + zeros(2) + "x", zeros(1)}[s.IntN(4)]
		return s.withMetadata(file(spelled, data))
	}
}

// symlink returns a symlink, usually to a directory, relative or absolute.
func (s *stack) symlink(spelled, path string) entry {
	_, target := s.pick(func(n *node) bool { return n.names != nil })
	if s.IntN(4) == 0 || strings.HasPrefix(target+"/", path+"/") {
		return symlink(spelled, "nowhere")
	}
	s.links[path] = target
	if s.IntN(2) == 0 {
		return symlink(spelled, filepath.Join("/", target))
	}
	relative, err := filepath.Rel(filepath.Dir(path), target)
	if err != nil {
		panic(err) // both are relative to the root
	}
	return symlink(spelled, relative)
}

// withMetadata returns an entry with random metadata that its type can have.
func (s *stack) withMetadata(e entry) entry {
	e = s.withTime(e).owner(s.IntN(3)*1000, s.IntN(100_000))
	if e.Typeflag == tar.TypeSymlink {
		return e
	}
	e = e.mode(s.Int64N(0o10000))
	if s.IntN(4) == 0 {
		e = e.xattr("trusted.t", fmt.Sprint(s.Int()))
	}
	isFile := e.Typeflag == tar.TypeReg
	if isFile && s.IntN(5) == 0 {
		e = e.xattr("security.capability", netRaw)
	}
	if (isFile || e.Typeflag == tar.TypeDir) && s.IntN(4) == 0 {
		e = e.xattr("user.u", "a\x00b").xattr("user.long", strings.Repeat("v", s.IntN(500)))
	}
	if isFile && s.IntN(6) == 0 {
		e = e.mode(0o640).xattr("system.posix_acl_access", acl(uint32(s.IntN(100_000))))
	}
	return e
}

func (s *stack) withTime(e entry) entry { return e.mtime(s.Int64N(1<<32)-1<<31+1, s.Int64N(1e9)) }

// pick returns a random node that is wanted and its path, or nil.
func (s *stack) pick(wanted func(*node) bool) (n *node, path string) {
	var nodes []*node
	var paths []string
	s.root.walk(".", func(path string, n *node) {
		if wanted(n) {
			nodes, paths = append(nodes, n), append(paths, path)
		}
	})
	if len(nodes) == 0 {
		return nil, ""
	}
	i := s.IntN(len(nodes))
	return nodes[i], paths[i]
}

// spell returns a directory's path as is, or the path of a symlink to it.
func (s *stack) spell(dir string, throughLinks bool) string {
	if !throughLinks {
		return dir
	}
	for _, link := range slices.Sorted(maps.Keys(s.links)) {
		n := s.find(link)
		if s.links[link] == dir && n != nil && n.entry.Typeflag == tar.TypeSymlink && s.IntN(2) == 0 {
			s.cases["through a symlink"] = true
			return link
		}
	}
	return dir
}

// find returns the node at a path, following no symlinks, or nil.
func (s *stack) find(path string) *node {
	n := s.root
	for part := range strings.SplitSeq(path, "/") {
		if n = n.names[part]; n == nil {
			return nil
		}
	}
	return n
}

// kind names the type of a node, or "nothing" if it is nil.
func (n *node) kind() string {
	if n == nil {
		return "nothing"
	}
	return kinds[n.entry.Typeflag]
}

var kinds = map[byte]string{
	tar.TypeDir: "directory", tar.TypeReg: "file", tar.TypeSymlink: "symlink",
	tar.TypeChar: "character device", tar.TypeBlock: "block device", tar.TypeFifo: "fifo",
}

// allCases returns the cases that all stacks together must cover.
func allCases() (cases []string) {
	cases = []string{"late whiteouts: true", "late whiteouts: false", "opaque", "through a symlink"}
	for _, kind := range kinds {
		cases = append(cases, "whiteout of "+kind, "hard link over "+kind, kind+" over nothing")
		for _, other := range kinds {
			cases = append(cases, kind+" over "+other)
		}
		if kind != "directory" {
			cases = append(cases, "hard link to "+kind+", of a layer below: true", "hard link to "+kind+", of a layer below: false")
		}
	}
	return cases
}

// walk visits a node and everything below it, in the order of their names.
func (n *node) walk(path string, visit func(path string, n *node)) {
	visit(path, n)
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		n.names[name].walk(filepath.Join(path, name), visit)
	}
}
