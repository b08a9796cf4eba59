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

// A stack is layers that a seed decides. While it is piled up, it knows what
// there is, so that every entry is one that can be unpacked.
type stack struct {
	*rand.Rand
	layers []*layerPlan
	root   *node
	links  map[string]string // symlinks, by their path, and the directories they lead to
	cases  map[string]bool   // what the stack is about
}

// A node is a file of the stack so far.
type node struct {
	entry *entry
	layer int              // that has made it
	split bool             // it has names of several layers
	names map[string]*node // of a directory
}

// A layerPlan is a layer as an archive, and what it changes, for those who do
// not read archives.
type layerPlan struct {
	entries []entry
	changes []change
	dirs    map[string]*entry // all directories that there are then
}

// A change is what a layer does at a path. One that makes nothing removes what
// is below.
type change struct {
	path   string
	made   *entry
	link   string // another name, of this layer's, of the same file
	merged bool   // a directory over a directory
	opaque bool   // a directory loses what the layers below have in it
}

func pile(seed uint64) *stack {
	s := &stack{Rand: rand.New(rand.NewPCG(seed, 3)), links: map[string]string{}, cases: map[string]bool{}}
	s.root = &node{names: map[string]*node{}}
	for range 2 + s.IntN(4) {
		s.add()
	}
	return s
}

// layer is the one being made.
func (s *stack) layer() *layerPlan { return s.layers[len(s.layers)-1] }

// add piles up another layer: whiteouts, which act on what is below wherever
// they stand, and entries.
func (s *stack) add() {
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
			markers = append(markers, s.remove(!late))
		}
	}
	if !late {
		l.entries = append(l.entries, markers...)
	}
	for range 10 + s.IntN(25) {
		s.put(!late)
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

// inOrder are the entries, all markers of whiteouts before the others.
func (l *layerPlan) inOrder() (entries []entry) {
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
	e := s.dress(directory("."))
	s.root.entry = &e
	s.layer().entries = append(s.layer().entries, e)
}

// remove takes something of the layers below away, or all that a directory has,
// and returns the marker that says so.
func (s *stack) remove(throughLinks bool) entry {
	dir, path := s.pick(func(n *node) bool { return n.names != nil })
	if names := slices.Sorted(maps.Keys(dir.names)); len(names) > 0 && s.IntN(4) > 0 {
		name := names[s.IntN(len(names))]
		s.cases["whiteout of "+dir.names[name].kind()] = true
		delete(dir.names, name)
		s.layer().changes = append(s.layer().changes, change{path: filepath.Join(path, name)})
		return s.timed(whiteout(s.spell(path, throughLinks) + "/" + name))
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
	return s.timed(opaque(s.spell(path, throughLinks)))
}

// put places something, in the place of what has its name.
func (s *stack) put(throughLinks bool) {
	dir, parent := s.pick(func(n *node) bool { return n.names != nil })
	name := string("abcdef"[s.IntN(6)])
	path, spelled := filepath.Join(parent, name), s.spell(parent, throughLinks)+"/"+name
	old, l := dir.names[name], s.layer()
	if s.IntN(5) == 0 && s.link(dir, name, path, spelled) {
		return
	}
	e := s.make(spelled, path)
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

// link gives some file that there is another name, if it can have it.
func (s *stack) link(dir *node, name, path, spelled string) bool {
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
	s.layer().entries = append(s.layer().entries, s.timed(hardlink(spelled, target)))
	s.layer().changes = append(s.layer().changes, c)
	leads, is := s.links[target]
	delete(s.links, path)
	if is && filepath.IsAbs(n.entry.Linkname) {
		s.links[path] = leads
	}
	return true
}

// make makes an entry of any kind.
func (s *stack) make(spelled, path string) entry {
	delete(s.links, path)
	switch s.IntN(12) {
	case 0, 1, 2, 3:
		return s.dress(directory(spelled))
	case 4, 5:
		return s.dress(s.symlink(spelled, path))
	case 6:
		return s.dress(device(tar.TypeChar, spelled, 1+s.Int64N(200), s.Int64N(1000)))
	case 7:
		return s.dress(device(tar.TypeBlock, spelled, s.Int64N(200), 1+s.Int64N(1000)))
	case 8:
		return s.dress(device(tar.TypeFifo, spelled, 0, 0))
	default:
		data := []string{"", spelled, ones(1) + zeros(2) + "x", zeros(1)}[s.IntN(4)]
		return s.dress(file(spelled, data))
	}
}

// symlink leads to a directory, as a rule; from its own, or from the root.
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
		panic(err) // both are from the root
	}
	return symlink(spelled, relative)
}

// dress gives an entry metadata of all kinds that it can have.
func (s *stack) dress(e entry) entry {
	e = s.timed(e).owner(s.IntN(3)*1000, s.IntN(100_000))
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

func (s *stack) timed(e entry) entry { return e.mtime(s.Int64N(1<<32)-1<<31+1, s.Int64N(1e9)) }

// pick returns one of the nodes that are wanted, and its path, or nil.
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

// spell writes a directory's path as it is, or through a symlink that leads to it.
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

// find returns what is at a path, no symlink followed, or nil.
func (s *stack) find(path string) *node {
	n := s.root
	for part := range strings.SplitSeq(path, "/") {
		if n = n.names[part]; n == nil {
			return nil
		}
	}
	return n
}

// kind is what a node is, or that there is none.
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

// allCases are what the stacks must be about, all together.
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

// walk visits a node and all below it, in the order of their names.
func (n *node) walk(path string, visit func(path string, n *node)) {
	visit(path, n)
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		n.names[name].walk(filepath.Join(path, name), visit)
	}
}
