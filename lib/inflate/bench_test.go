// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
)

// BenchmarkGzip decodes each kind of content at level 6, and compares with
// compress/gzip and klauspost/compress.
func BenchmarkGzip(b *testing.B) {
	for _, kind := range []string{"text", "binary", "matches", "noise", "zeros"} {
		content := contentsOf(1)[kind]
		members := member(content, nil)
		decode := func(name string, read func() (int64, error)) {
			b.Run(kind+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(content)))
				b.ReportAllocs()
				for b.Loop() {
					if n, err := read(); err != nil || n != int64(len(content)) {
						b.Fatal(n, err)
					}
				}
			})
		}
		buf := new(Buffer)
		decode("inflate", func() (n int64, err error) {
			for r := NewReader(bytes.NewReader(members)); ; {
				plain, err := r.Next(buf)
				if n += int64(len(plain)); err == io.EOF {
					return n, nil
				}
				if err != nil {
					return n, err
				}
			}
		})
		decode("klauspost", func() (int64, error) {
			r, err := kgzip.NewReader(bytes.NewReader(members))
			if err != nil {
				return 0, err
			}
			return io.Copy(io.Discard, r)
		})
		decode("std", func() (int64, error) {
			r, err := gzip.NewReader(bytes.NewReader(members))
			if err != nil {
				return 0, err
			}
			return io.Copy(io.Discard, r)
		})
	}
}
