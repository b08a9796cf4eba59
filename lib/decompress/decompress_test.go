// SPDX-License-Identifier: Apache-2.0

package decompress

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// noise returns incompressible data, so that every byte of the result matters.
func noise(size int) []byte {
	b := make([]byte, size)
	rand.New(rand.NewSource(1)).Read(b)
	return b
}

func gz(content []byte, change func(*gzip.Header)) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if change != nil {
		change(&w.Header)
	}
	w.Write(content)
	w.Close()
	return b.Bytes()
}

func zst(content []byte, o ...zstd.EOption) []byte {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b, o...)
	if err != nil {
		panic(err)
	}
	w.Write(content)
	w.Close()
	return b.Bytes()
}

// withHeaderCRC adds to a bare gzip header the check of RFC 1952's FHCRC.
func withHeaderCRC(member []byte, damage uint16) []byte {
	h := append([]byte(nil), member[:10]...)
	h[3] |= 2
	h = binary.LittleEndian.AppendUint16(h, uint16(crc32.ChecksumIEEE(h))^damage)
	return append(h, member[10:]...)
}

// skippable returns a skippable zstd frame.
func skippable(content string) []byte {
	frame := binary.LittleEndian.AppendUint32(nil, 0x184d2a5f)
	frame = binary.LittleEndian.AppendUint32(frame, uint32(len(content)))
	return append(frame, content...)
}

// emptyFrame returns an empty zstd frame with a window of 2^log bytes.
func emptyFrame(log int) []byte {
	return []byte{0x28, 0xb5, 0x2f, 0xfd, 0, byte(log-10) << 3, 1, 0, 0}
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// damaged changes one byte, counted from the end if at is negative.
func damaged(b []byte, at int) []byte {
	b = append([]byte(nil), b...)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	return b
}

func TestReader(t *testing.T) {
	a, b := noise(600<<10), []byte("and more")
	long := func(h *gzip.Header) {
		h.Name, h.Comment, h.Extra = "layer.tar", "a comment", make([]byte, 60000)
	}
	for _, c := range []struct {
		name string
		blob []byte
		want []byte
	}{
		{"plain", a, a},
		{"plain of one byte", a[:1], a[:1]},
		{"nothing", nil, nil},
		{"gzip", gz(a, nil), a},
		{"gzip of many members", cat(gz(a, nil), gz(b, nil), gz(a, nil)), cat(a, b, a)},
		{"gzip of empty members", cat(gz(nil, nil), gz(a, nil), gz(nil, nil), gz(nil, nil), gz(b, nil)), cat(a, b)},
		{"gzip of nothing", gz(nil, nil), nil},
		{"gzip with all header fields", gz(a, long), a},
		{"gzip with its header's CRC", withHeaderCRC(gz(a, nil), 0), a},
		{"zstd", zst(a), a},
		{"zstd of many frames", cat(zst(a), zst(b), zst(nil), zst(a)), cat(a, b, a)},
		{"zstd with skippable frames", cat(skippable("first"), zst(a), skippable(""), zst(b), skippable("last")), cat(a, b)},
		{"zstd without checksums", zst(a, zstd.WithEncoderCRC(false)), a},
		{"zstd with a window of 128 MiB", cat(emptyFrame(27), zst(b)), b},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(OCI, c.blob)
			if err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("%d bytes of %d, %v", len(got), len(c.want), err)
			}
		})
	}
}

func TestReaderDamaged(t *testing.T) {
	a := noise(600 << 10)
	for _, c := range []struct {
		name string
		blob []byte
	}{
		{"gzip cut in its header", gz(a, nil)[:5]},
		{"gzip cut in its data", gz(a, nil)[:300<<10]},
		{"gzip cut before its trailer", gz(a, nil)[:len(gz(a, nil))-8]},
		{"gzip cut in its trailer", gz(a, nil)[:len(gz(a, nil))-1]},
		{"gzip with a wrong CRC", damaged(gz(a, nil), -5)},
		{"gzip with a wrong length", damaged(gz(a, nil), -1)},
		{"gzip with a damaged byte", damaged(gz(a, nil), 200<<10)},
		{"gzip with a damaged second member", damaged(cat(gz(a, nil), gz(a, nil)), -5)},
		{"gzip cut in its second member", cat(gz(a, nil), gz(a, nil)[:20])},
		{"gzip with garbage after it", cat(gz(a, nil), []byte("garbage garbage garbage"))},
		{"gzip with a wrong CRC of its header", withHeaderCRC(gz(a, nil), 1)},
		{"gzip by another method than deflate", damaged(gz(a, nil), 2)},
		{"zstd cut in its header", zst(a)[:5]},
		{"zstd cut in its data", zst(a)[:300<<10]},
		{"zstd cut in its checksum", zst(a)[:len(zst(a))-1]},
		{"zstd with a wrong checksum", damaged(zst(a), -1)},
		{"zstd with a damaged byte", damaged(zst(a), 200<<10)},
		{"zstd with garbage after it", cat(zst(a), []byte("garbage garbage garbage"))},
		{"zstd cut in a skippable frame", cat(zst(a), skippable("something")[:12])},
		{"zstd with a window of 256 MiB", cat(emptyFrame(28), zst(a))},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := read(OCI, c.blob); err == nil {
				t.Errorf("no error, but %d bytes", len(got))
			}
		})
	}
}

func read(f Formats, blob []byte) ([]byte, error) {
	r, err := f.Reader(bytes.NewReader(blob))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// Data compressed by programs is read. If a byte of it or of its checksum is
// missing, that is an error.
func TestPrograms(t *testing.T) {
	a := append(noise(300<<10), bytes.Repeat([]byte("again and again "), 40000)...)
	for _, program := range [][]string{
		{"gzip", "-9"}, {"zstd", "-19"}, {"xz", "-9"}, {"xz", "--check=crc32", "--x86", "--lzma2=dict=32MiB"},
		{"lz4", "-9"}, {"lz4", "-l"}, {"bzip2"},
	} {
		t.Run(strings.Join(program, " "), func(t *testing.T) {
			blob := compress(t, a, program...)
			if got, err := read(All, blob); err != nil || !bytes.Equal(got, a) {
				t.Errorf("%d bytes of %d, %v", len(got), len(a), err)
			}
			for _, cut := range []int{len(blob) - 1, len(blob) / 2, 8} {
				if got, err := read(All, blob[:cut]); err == nil {
					t.Errorf("cut to %d of %d bytes: no error, but %d bytes", cut, len(blob), len(got))
				}
			}
		})
	}
}

// A few concatenated empty frames are read. So many that the decoder would run out
// of stack are an error, wherever they start.
func TestLZ4Joined(t *testing.T) {
	a := noise(100 << 10)
	frame, modern := compress(t, a, "lz4", "-l"), compress(t, a, "lz4")
	few, many := strings.Repeat(legacyMagic, 100), strings.Repeat(legacyMagic, 10<<20)
	if got, err := read(All, cat([]byte(few), frame, []byte(few), frame)); err != nil || !bytes.Equal(got, cat(a, a)) {
		t.Errorf("few: %d bytes, %v", len(got), err)
	}
	for name, before := range map[string][]byte{"alone": nil, "after a frame": frame, "after a newer one": modern} {
		if _, err := read(All, cat(before, []byte(many))); !errors.Is(err, errEmptyFrames) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// xz is not a format of layers: the data is returned unchanged.
func TestOCI(t *testing.T) {
	blob := compress(t, noise(1000), "xz")
	if got, err := read(OCI, blob); err != nil || !bytes.Equal(got, blob) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// compress runs a program. It skips the test if there is no such program.
func compress(t testing.TB, content []byte, program ...string) []byte {
	t.Helper()
	cmd := exec.Command(program[0], append(program[1:], "-c")...)
	cmd.Stdin = bytes.NewReader(content)
	blob, err := cmd.Output()
	switch {
	case err == nil:
		return blob
	case os.Getenv("CI") == "true":
		t.Fatalf("%v: %v", program, err)
	default:
		t.Skipf("%v: %v", program, err)
	}
	return nil
}
