// SPDX-License-Identifier: Apache-2.0

package decompress

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// singleSegment returns the header of a zstd frame whose window is its content, of
// the given size (RFC 8878, 3.1.1.1.1.2). The content is missing.
func singleSegment(size uint64) []byte {
	return append(binary.LittleEndian.AppendUint64([]byte{0x28, 0xb5, 0x2f, 0xfd, 3<<6 | 1<<5}, size), 1, 0, 0)
}

// Formats of layers are detected by their first bytes only.
func TestTold(t *testing.T) {
	a := []byte(strings.Repeat("some text to compress  ", 1000))
	for name, c := range map[string]struct {
		blob, want []byte // or an error
	}{
		"zstd: only skippable frames":           {cat(skippable("a"), skippable("b")), []byte{}},
		"zstd: a skippable frame of 0x184d2a50": {cat([]byte("\x50\x2a\x4d\x18\x02\x00\x00\x00xx"), zst(a)), a},
		"zstd: a missing dictionary":            {[]byte{0x28, 0xb5, 0x2f, 0xfd, 1, 0, 7, 1, 0, 0}, nil},
		"zstd: one segment of 256 MiB":          {singleSegment(256 << 20), nil},
		"zstd: one segment of 8 EiB":            {singleSegment(1 << 63), nil},
		"zstd: a size that is another's":        {cat(singleSegment(5), zst(a)), nil},
		"zstd: a reserved bit":                  {append([]byte{0x28, 0xb5, 0x2f, 0xfd, 1 << 3}, emptyFrame(20)[5:]...), nil},
		"zstd: a window of 8 MiB, as --ultra":   {zst(a, zstd.WithWindowSize(8<<20), zstd.WithSingleSegment(false)), a},
		"gzip: two bytes of it":                 {[]byte("\x1f\x8b"), nil},
		"gzip: one byte of it is none":          {[]byte("\x1f"), []byte("\x1f")},
		"gzip: FTEXT, which means nothing":      {damaged(gz(a, nil), 3), a},
		"xz is no layer's":                      {[]byte("\xfd7zXZ\x00rest"), []byte("\xfd7zXZ\x00rest")},
		"bzip2 is no layer's":                   {[]byte("BZh91AY&SY"), []byte("BZh91AY&SY")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(OCI, c.blob)
			switch {
			case c.want == nil && err == nil:
				t.Errorf("no error, but %d bytes", len(got))
			case c.want != nil && (err != nil || !bytes.Equal(got, c.want)):
				t.Errorf("%d bytes of %d, %v", len(got), len(c.want), err)
			}
		})
	}
}
