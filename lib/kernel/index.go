// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"encoding/binary"
	"slices"
	"strings"
)

// An index is a sorted list of keys with values, for a file that kmod(8) searches:
// a trie, in which numbers are big-endian (libkmod/libkmod-index.c). Keys are ASCII.
type index map[string][]string

// Of an index file. The upper bits of the offset of a node say what it has.
const (
	indexMagic   = 0xb007f457
	indexVersion = 0x00020001

	nodePrefix   = 1 << 31
	nodeValues   = 1 << 30
	nodeChildren = 1 << 29
)

// add adds a value to a key. It ignores a key that is not ASCII.
func (x index) add(key, value string) {
	if strings.IndexFunc(key, func(r rune) bool { return r == 0 || r > 126 }) < 0 {
		x[key] = append(x[key], value)
	}
}

// bytes returns the file.
func (x index) bytes() []byte {
	keys := make([]string, 0, len(x))
	for key := range x {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	w := indexWriter{values: x, file: make([]byte, 12)}
	root := w.node(keys, 0)
	for i, n := range []uint32{indexMagic, indexVersion, root} {
		binary.BigEndian.PutUint32(w.file[4*i:], n)
	}
	return w.file
}

// An indexWriter writes the nodes of an index, each after its children.
type indexWriter struct {
	values index
	file   []byte
}

// node writes a node for sorted keys that agree up to from, and returns its offset.
func (w *indexWriter) node(keys []string, from int) uint32 {
	prefix := ""
	if len(keys) > 0 {
		prefix = common(keys[0][from:], keys[len(keys)-1][from:])
	}
	at := from + len(prefix)
	var values []string
	if len(keys) > 0 && len(keys[0]) == at {
		values, keys = w.values[keys[0]], keys[1:]
	}
	var first, last byte
	var children []uint32
	if len(keys) > 0 {
		first, last = keys[0][at], keys[len(keys)-1][at]
		children = make([]uint32, int(last-first)+1)
	}
	for len(keys) > 0 {
		c := keys[0][at]
		n := slices.IndexFunc(keys, func(key string) bool { return key[at] != c })
		if n < 0 {
			n = len(keys)
		}
		children[c-first] = w.node(keys[:n], at+1)
		keys = keys[n:]
	}
	offset := uint32(len(w.file))
	if prefix != "" {
		offset |= nodePrefix
		w.text(prefix)
	}
	if children != nil {
		offset |= nodeChildren
		w.file = append(w.file, first, last)
		for _, child := range children {
			w.number(child)
		}
	}
	if values != nil {
		offset |= nodeValues
		w.number(uint32(len(values)))
		for i, value := range values {
			w.number(uint32(i)) // its priority: a lower one comes first
			w.text(value)
		}
	}
	return offset
}

func (w *indexWriter) number(n uint32) { w.file = binary.BigEndian.AppendUint32(w.file, n) }

func (w *indexWriter) text(s string) { w.file = append(append(w.file, s...), 0) }

// common returns the longest common prefix.
func common(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}
