// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

// A file of five blocks, the second and the last with data, in each sparse format.
func TestSparseFiles(t *testing.T) {
	block := strings.Repeat("x", 4096)
	hole := strings.Repeat("\x00", 4096)
	content := hole + block + hole + hole + block
	const size = "20480"
	records := func(more ...string) []byte {
		return tartest.Pax(append([]string{"GNU.sparse.name", "s", "GNU.sparse.size", size}, more...)...)
	}
	mapBlock := "2\n4096\n4096\n16384\n4096\n"
	mapBlock += strings.Repeat("\x00", 512-len(mapBlock))
	other := tartest.Entry{Name: "GNUSparseFile.0/other", Type: '0', Data: block + block}.Bytes()
	for name, archive := range map[string][]byte{
		"stored whole": pack(file("s", content)),
		"pax 0.0": pack(tartest.Pax("GNU.sparse.size", size, "GNU.sparse.numblocks", "2",
			"GNU.sparse.offset", "4096", "GNU.sparse.numbytes", "4096",
			"GNU.sparse.offset", "16384", "GNU.sparse.numbytes", "4096"), tartest.Entry{Name: "s", Type: '0', Data: block + block}.Bytes()),
		"pax 0.1": pack(records("GNU.sparse.numblocks", "2", "GNU.sparse.map", "4096,4096,16384,4096"), other),
		"pax 1.0": pack(tartest.Pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0",
			"GNU.sparse.name", "s", "GNU.sparse.realsize", size),
			tartest.Entry{Name: "GNUSparseFile.0/other", Type: '0', Data: mapBlock + block + block}.Bytes()),
		"GNU.sparse.name over path": pack(records("path", "not-this", "GNU.sparse.numblocks", "2",
			"GNU.sparse.map", "4096,4096,16384,4096"), other),
		"old GNU": pack(tartest.Entry{Name: "s", Type: 'S', Data: block + block, Poke: tartest.OldSparse(20480, 4096, 4096, 16384, 4096)}.Bytes()),
	} {
		t.Run(name, func(t *testing.T) {
			image := newImage(t)
			if err := image.apply(archive, pack(file("after", "1"))); err != nil {
				t.Fatal(err)
			}
			n := image.tree.Root.Lookup("s")
			if n == nil {
				t.Fatalf("no s, but %.200s", image.show())
			}
			raw, err := os.ReadFile(filepath.Join(image.dir, path(n.Content)))
			if err != nil || !bytes.Equal(raw, []byte(content)) {
				t.Errorf("content of %d bytes is another, %v", len(raw), err)
			}
			if n.Size != 20480 || n.Blocks != 2 || n.Runs != 2 {
				t.Errorf("size %d, %d blocks in %d runs", n.Size, n.Blocks, n.Runs)
			}
		})
	}
}

// A large sparse file takes only the space of its data (moby#5419).
func TestSparseGiant(t *testing.T) {
	image := newImage(t)
	giant := tartest.Entry{Name: "lastlog", Type: 'S', Data: "x", Poke: tartest.OldSparse(1<<39, 1<<39-1, 1)}.Bytes()
	if err := image.apply(pack(giant)); err != nil {
		t.Fatal(err)
	}
	n := image.tree.Root.Lookup("lastlog")
	if n.Size != 1<<39 || n.Blocks != 1 || n.Runs != 1 {
		t.Errorf("size %d, %d blocks in %d runs", n.Size, n.Blocks, n.Runs)
	}
}
