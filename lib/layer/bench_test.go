// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"banger/lib/decompress"
)

// BenchmarkRead decompresses and reads a layer of small files.
func BenchmarkRead(b *testing.B) {
	const files, size = 500, 16 << 10
	blob := gzipOf(b, files, size)
	b.SetBytes(files * size)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		dir, err := os.Open(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		contents := NewContents(context.Background(), dir)
		r := &Reader{Contents: contents, MaxSize: 1 << 30, MaxEntries: files}
		b.StartTimer()
		archive, err := decompress.OCI.Reader(bytes.NewReader(blob))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.Read(context.Background(), "bench", archive); err != nil {
			b.Fatal(err)
		}
		if err := contents.Wait(); err != nil {
			b.Fatal(err)
		}
		dir.Close()
	}
}

// gzipOf returns a compressed archive of files that gzip compresses by half.
func gzipOf(b *testing.B, files int, size int64) []byte {
	var blob bytes.Buffer
	z := gzip.NewWriter(&blob)
	w := tar.NewWriter(z)
	content := make([]byte, size)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range files {
		for at := range content {
			content[at] = byte(source.IntN(16))
		}
		h := &tar.Header{Name: fmt.Sprintf("dir/%d", i), Mode: 0o644, Size: size}
		if err := w.WriteHeader(h); err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	return blob.Bytes()
}
