// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bytes"
	"testing"

	"banger/lib/mtree"

	"banger/lib/tar/tartest"
)

// FuzzApply applies any input to a small tree. The result must be an error, or a
// tree that can be written as a manifest and read back.
func FuzzApply(f *testing.F) {
	for _, entry := range [][]byte{
		file("d/.wh.x", ""), file("d/.wh..wh..opq", ""), symlink("l", "../d"), hard("h", "d/x"),
		file("l/y", "2", at(5, 6), pax("SCHILY.xattr.user.a", "v")), node("n", '3', 1, 3), dir("./"),
		tartest.Entry{Name: "s", Type: 'S', Data: "x", Poke: tartest.OldSparse(9000, 8192, 1)}.Bytes(),
		tartest.Entry{Name: "b", Type: '0', UID: tartest.Base256(8, 1<<31), Data: "1"}.Bytes(), tartest.Global("comment", "c"),
	} {
		f.Add(pack(entry))
	}
	lower := pack(file("d/x", "1"), file("d/y", "2"), symlink("s", "/d"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		image := newImage(t)
		image.reader.MaxSize, image.reader.MaxEntries = 1<<20, 50
		if err := image.apply(lower, tartest.FixChecksums(archive)); err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := mtree.Write(&first, image.tree); err != nil {
			t.Fatal(err)
		}
		m, err := mtree.Read(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("%v\n%s", err, first.Bytes())
		}
		if err := mtree.Write(&second, m.Tree); err != nil {
			t.Fatal(err)
		}
		// A manifest does not tell which names are hard links of one file.
		if !bytes.Contains(first.Bytes(), []byte(" nlink=")) && !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("wrote\n%sread\n%s", first.Bytes(), second.Bytes())
		}
	})
}
