// SPDX-License-Identifier: Apache-2.0

package tar

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

// FuzzReader reads any input to its end or to an error. It must not return more
// data than the input has, and maps of sparse files must match their data.
func FuzzReader(f *testing.F) {
	for _, entry := range [][]byte{
		a, long('L', "name"), tartest.Global("comment", "c"), join(tartest.Pax("path", "p", "mtime", "-1.5", "size", "1"), a),
		tartest.Entry{Name: "s", Type: 'S', Data: "ab", Poke: tartest.OldSparse(100, 10, 1, 20, 1)}.Bytes(),
		join(tartest.Pax("GNU.sparse.size", "100", "GNU.sparse.map", "10,1"), a),
		join(tartest.Pax("GNU.sparse.size", "100", "GNU.sparse.offset", "10", "GNU.sparse.numbytes", "1"), a),
		join(tartest.Pax("GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "100"),
			file("x", "1\n10\n1\n"+strings.Repeat("\x00", 505)+"a")),
		tartest.Entry{Name: "h", Link: "a", Type: '1', Data: "1"}.Bytes(),
		tartest.Entry{Name: "u", Type: '0', UID: tartest.Base256(8, 1<<31)}.Bytes(),
	} {
		f.Add(tartest.Archive(entry))
	}
	f.Fuzz(func(t *testing.T, archive []byte) {
		archive = tartest.FixChecksums(archive)
		r := NewReader(bytes.NewReader(archive))
		for total := int64(0); ; {
			h, err := r.Next()
			if err != nil {
				return
			}
			n, err := io.Copy(io.Discard, r)
			if total += n; total > int64(len(archive)) || h.Size < 0 {
				t.Fatalf("read %d bytes of %d, size %d", total, len(archive), h.Size)
			}
			if err != nil {
				return
			}
			if h.Sparse {
				checkMap(t, h, n)
			} else if n != h.Size {
				t.Fatalf("read %d bytes of a file of %d", n, h.Size)
			}
		}
	})
}

// checkMap compares a map with the data that was read.
func checkMap(t *testing.T, h *Header, stored int64) {
	end := int64(0)
	for _, s := range h.Data {
		if s.Off < end || s.Len <= 0 || s.Off+s.Len > h.Size {
			t.Fatalf("map %v in a file of %d", h.Data, h.Size)
		}
		end = s.Off + s.Len
		stored -= s.Len
	}
	if stored != 0 {
		t.Fatalf("map %v, and %d more bytes of data", h.Data, stored)
	}
}
