// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"
	"testing"

	"banger/lib/status"
	"banger/lib/tar/tartest"
)

// A message names the layer and the entry (doc/layers.md): here the second of two
// layers, and the entry's name as the archive has it.
func TestBlame(t *testing.T) {
	const name = "./d//x\n"
	for what, entry := range map[string][]byte{
		"an owner":             file(name, "", own(1<<32, 0)),
		"a device":             node(name, '3', 1<<12, 0),
		"an unknown typeflag":  tartest.Entry{Name: name, Type: 'V'}.Bytes(),
		"an empty symlink":     tartest.Entry{Name: name, Type: '2'}.Bytes(),
		"a long target":        symlink(name, strings.Repeat("t", 5000)),
		"an xattr":             file(name, "", pax("SCHILY.xattr.user.a", strings.Repeat("v", 70000))),
		"an xattr's base64":    file(name, "", pax("LIBARCHIVE.xattr.user.a", "!")),
		"a link to nothing":    hard(name, "none"),
		"a link to the root":   hard(name, "/"),
		"a link to a dir":      hard(name, "a"),
		"a parent":             file("f/"+name, ""),
		"a ring":               file("r/"+name, ""),
		"a whiteout of .":      file("d/.wh..", ""),
		"a whiteout in a ring": file("r/.wh.x", ""),
		"a size":               tartest.Entry{Name: name, Type: '0', Size: tartest.Base256(12, 1<<50)}.Bytes(),
		"the root as a file":   file("a/..", "1"),
		"lost+found":           file("./lost+found", "1"),
	} {
		image := newImage(t)
		err := image.apply(pack(dir("a"), file("f", ""), symlink("r", "r")), pack(file("good", "1"), entry))
		if status.Of(err) != status.Bad {
			t.Errorf("%s: status %d: %v", what, status.Of(err), err)
			continue
		}
		msg := err.Error()
		if !strings.HasPrefix(msg, "layer 2: ") || strings.Contains(msg, "\n") {
			t.Errorf("%s: does not name the layer, on one line: %q", what, msg)
		}
		names := []string{`./d//x\n"`, `"d/.wh.."`, `"r/.wh.x"`, `"a/.."`, `"./lost+found"`}
		if !containsAny(msg, names) {
			t.Errorf("%s: does not name the entry: %q", what, msg)
		}
	}
}

func containsAny(s string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}
