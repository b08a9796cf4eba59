// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The indexes of modules that need and exclude each other, as modprobe(8) reads
// them: test/boot_test.go runs modprobe in a guest.
func TestIndexes(t *testing.T) {
	tree := modules(t)
	m, err := OpenModules(tree)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Indexes(); err == nil || !strings.Contains(err.Error(), "module none: ") {
		t.Errorf("with a file that is no module: %v", err)
	}
	delete(tree, "kernel/lib/none.ko")
	if m, err = OpenModules(tree); err != nil {
		t.Fatal(err)
	}
	files, err := m.Indexes()
	if err != nil {
		t.Fatal(err)
	}
	for name := range m.files {
		line := m.files[name] + ":"
		if !strings.Contains("\n"+string(files["modules.dep"]), "\n"+line) {
			t.Errorf("modules.dep has no line %s", line)
		}
		if got := lookup(files["modules.dep.bin"], name); len(got) != 1 || !strings.HasPrefix(got[0], line) {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, name := range []string{"virtio", "virtio_mmio"} {
		if got := lookup(files["modules.builtin.bin"], name); !slices.Equal(got, []string{""}) {
			t.Errorf("built in: %s: %q", name, got)
		}
	}
	tree["modules.dep.bin"] = file([]byte("depmod's"))
	if m, err = OpenModules(tree); err != nil {
		t.Fatal(err)
	}
	if files, err := m.Indexes(); err != nil || len(files) > 0 {
		t.Errorf("over depmod's own: %v, %v", slices.Collect(maps.Keys(files)), err)
	}
}

// Each key leads to its values, in their order, and no other key does.
func TestIndexFile(t *testing.T) {
	x := index{}
	for _, key := range []string{"a", "ab", "abc", "abd", "b", "pci:v*d*", "pci:v*"} {
		x.add(key, "of "+key)
	}
	x.add("ab", "again")
	x.add("\u00e9", "not ASCII")
	f := x.bytes()
	for key, want := range map[string][]string{
		"a": {"of a"}, "ab": {"of ab", "again"}, "abc": {"of abc"}, "abd": {"of abd"}, "b": {"of b"}, "pci:v*": {"of pci:v*"},
		"pci:v*d*": {"of pci:v*d*"}, "": nil, "abe": nil, "p": nil, "c": nil, "\u00e9": nil,
	} {
		if got := lookup(f, key); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
	if got := lookup(index{}.bytes(), "a"); got != nil {
		t.Errorf("in an empty one: %q", got)
	}
}

// lookup searches an index file as kmod does.
func lookup(f []byte, key string) (values []string) {
	at := binary.BigEndian.Uint32(f[8:])
	number := func(p *uint32) uint32 { *p += 4; return binary.BigEndian.Uint32(f[*p-4:]) }
	text := func(p *uint32) string {
		s, _, _ := strings.Cut(string(f[*p:]), "\x00")
		*p += uint32(len(s) + 1)
		return s
	}
	for at != 0 {
		p := at &^ (0xf << 28)
		if at&nodePrefix != 0 {
			rest, ok := strings.CutPrefix(key, text(&p))
			if key = rest; !ok {
				return nil
			}
		}
		next := uint32(0)
		if at&nodeChildren != 0 {
			first, last := f[p], f[p+1]
			p += 2
			if key != "" && key[0] >= first && key[0] <= last {
				child := p + 4*uint32(key[0]-first)
				next = number(&child)
			}
			p += 4 * (uint32(last-first) + 1)
		}
		if key == "" {
			if at&nodeValues != 0 {
				for range number(&p) {
					number(&p)
					values = append(values, text(&p))
				}
			}
			return values
		}
		key, at = key[1:], next
	}
	return nil
}
