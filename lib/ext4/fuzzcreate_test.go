// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"fmt"
	"strings"
	"testing"

	"banger/lib/status"
	"banger/lib/tree"
)

// FuzzCreate makes images of trees derived from the input. They must be clean for
// e2fsck and Check, and contain the whole tree.
func FuzzCreate(f *testing.F) {
	f.Add([]byte("\x00d\x10f\x21\x02\xff\xff\x33\x44\x55long names \xff and \x01"), uint8(0))
	f.Add([]byte(strings.Repeat("\x07\x31\xff\x80", 200)), uint8(200))
	f.Add([]byte(strings.Repeat("\x03\x03\x13\xf0\x08", 100)), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, wide uint8) {
		s := newSource(t)
		s.direct = true
		s.growFrom(data[:min(len(data), 2000)])
		for i := range wide {
			s.add(longName("wide", int(i)), tree.Inode{}, "")
		}
		file, err := s.create(Options{Minimal: true, Created: 1})
		if status.Of(err) == status.Bad {
			return // xattrs too large for a block
		}
		if err != nil {
			t.Fatal(err)
		}
		fsck(t, file)
		m := opened(t, file)
		sound(t, m)
		same(t, s.tree, m)
	})
}

// growFrom adds inodes, each derived from a few bytes.
func (s *source) growFrom(data []byte) {
	next := func() (b byte) {
		if len(data) > 0 {
			b, data = data[0], data[1:]
		}
		return b
	}
	dirs := []string{"."}
	var files []string
	for i := 0; len(data) > 0; i++ {
		kind, how, where := next(), next(), next()
		name := fmt.Sprintf("%s/%d%s", dirs[int(where)%len(dirs)], i, strings.Repeat(string([]byte{max(how, 1) | 0x80}), int(how)%250))
		n := tree.Inode{Type: tree.Type(kind % 6), Mode: uint16(how) << 4, UID: uint32(how) << 24, Sec: int64(kind)<<26 - 1<<31, Nsec: uint32(how)}
		if kind&0x10 != 0 {
			n.Xattrs = []tree.Xattr{{Name: "trusted.a", Value: strings.Repeat("v", int(next()))},
				{Name: "trusted.b", Value: strings.Repeat("w", int(next())*100)}}
		}
		content := ""
		switch n.Type {
		case tree.Dir:
			dirs = append(dirs, name)
		case tree.Symlink:
			n.Target = strings.Repeat("t", 1+16*int(how)%4095)
		case tree.Char, tree.Block:
			n.Major, n.Minor = uint32(how)<<4, uint32(where)<<12
		case tree.File:
			for range how % 16 {
				content += strings.Repeat(string("\x00x"[next()%2]), 1000*int(next()))
			}
			files = append(files, name)
		}
		s.add(name, n, content)
		if kind&0x20 != 0 && len(files) > 0 {
			old := files[int(where)%len(files)]
			if parts, _ := tree.Split(old); parts != nil {
				same, _ := s.tree.Find(parts)
				s.link(name+"l", same, old)
			}
		}
	}
}
