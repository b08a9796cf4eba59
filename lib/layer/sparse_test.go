// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A file of five blocks, the second and the last with data: what each of the
// ways to archive it must come to.
func TestSparseFiles(t *testing.T) {
	block := strings.Repeat("x", 4096)
	hole := strings.Repeat("\x00", 4096)
	content := hole + block + hole + hole + block
	const size = "20480"
	records := func(more ...string) []byte {
		return paxHeader(false, append([]string{"GNU.sparse.name", "s", "GNU.sparse.size", size}, more...)...)
	}
	mapBlock := "2\n4096\n4096\n16384\n4096\n"
	mapBlock += strings.Repeat("\x00", 512-len(mapBlock))
	other := raw{name: "GNUSparseFile.0/other", flag: '0', data: block + block}.bytes()
	for name, archive := range map[string][]byte{
		"stored whole": pack(file("s", content)),
		"pax 0.0": pack(paxHeader(false, "GNU.sparse.size", size, "GNU.sparse.numblocks", "2",
			"GNU.sparse.offset", "4096", "GNU.sparse.numbytes", "4096",
			"GNU.sparse.offset", "16384", "GNU.sparse.numbytes", "4096"), raw{name: "s", flag: '0', data: block + block}.bytes()),
		"pax 0.1": pack(records("GNU.sparse.numblocks", "2", "GNU.sparse.map", "4096,4096,16384,4096"), other),
		"pax 1.0": pack(paxHeader(false, "GNU.sparse.major", "1", "GNU.sparse.minor", "0",
			"GNU.sparse.name", "s", "GNU.sparse.realsize", size),
			raw{name: "GNUSparseFile.0/other", flag: '0', data: mapBlock + block + block}.bytes()),
		"GNU.sparse.name over path": pack(records("path", "not-this", "GNU.sparse.numblocks", "2",
			"GNU.sparse.map", "4096,4096,16384,4096"), other),
		"old GNU": pack(raw{name: "s", flag: 'S', data: block + block, poke: oldSparse(20480, 4096, 4096, 16384, 4096)}.bytes()),
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
			raw, err := os.ReadFile(filepath.Join(image.dir, strconv.FormatInt(n.Content, 10)))
			if err != nil || !bytes.Equal(raw, []byte(content)) {
				t.Errorf("content of %d bytes is another, %v", len(raw), err)
			}
			if n.Size != 20480 || n.Blocks != 2 || n.Runs != 2 {
				t.Errorf("size %d, %d blocks in %d runs", n.Size, n.Blocks, n.Runs)
			}
		})
	}
}

// oldSparse writes the fields of GNU tar's own sparse header: up to four pairs
// of offset and length, and the file's whole size.
func oldSparse(size int64, pairs ...int64) func([]byte) {
	return func(h []byte) {
		copy(h[257:], "ustar  \x00")
		for i, v := range pairs {
			copy(h[386+12*i:], fmt.Sprintf("%011o\x00", v))
		}
		copy(h[483:], fmt.Sprintf("%011o\x00", size))
	}
}

// A sparse giant costs what it holds (moby#5419).
func TestSparseGiant(t *testing.T) {
	image := newImage(t)
	giant := raw{name: "lastlog", flag: 'S', data: "x", poke: oldSparse(256<<20, 256<<20-1, 1)}.bytes()
	if err := image.apply(pack(giant)); err != nil {
		t.Fatal(err)
	}
	n := image.tree.Root.Lookup("lastlog")
	if n.Size != 256<<20 || n.Blocks != 1 || n.Runs != 1 {
		t.Errorf("size %d, %d blocks in %d runs", n.Size, n.Blocks, n.Runs)
	}
}
