// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/pgzip"
)

// An encoder makes gzip members.
type encoder struct {
	name   string
	encode func(t *testing.T, content []byte) []byte
	limit  int // on its input, in bytes, if it is slow; 0 for none
}

// program returns an encoder that runs a program.
func program(name string, args ...string) encoder {
	return encoder{name: fmt.Sprint(name, args), encode: func(t *testing.T, content []byte) []byte {
		cmd := exec.Command(name, args...)
		cmd.Stdin = bytes.NewReader(content)
		out, err := cmd.Output()
		if _, missing := exec.LookPath(name); missing != nil && os.Getenv("CI") != "true" {
			t.Skip(missing)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}}
}

// slow returns an encoder with limited input.
func slow(e encoder, limit int) encoder {
	e.limit = limit
	return e
}

// writer returns an encoder of a library, which is flushed at times.
func writer(r *rand.Rand, name string, open func(io.Writer) (io.WriteCloser, error)) encoder {
	return encoder{name: name, encode: func(t *testing.T, content []byte) []byte {
		var b bytes.Buffer
		w, err := open(&b)
		if err != nil {
			t.Fatal(err)
		}
		for len(content) > 0 {
			n := min(len(content), 1+r.IntN(1<<20))
			w.Write(content[:n])
			if f, can := w.(interface{ Flush() error }); can && r.IntN(2) == 0 {
				f.Flush()
			}
			content = content[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}}
}

func encoders(r *rand.Rand) []encoder {
	var all []encoder
	for level := 1; level <= 9; level++ {
		all = append(all, program("gzip", fmt.Sprint("-", level)))
	}
	for _, level := range []int{gzip.HuffmanOnly, gzip.NoCompression, 1, 5, 6, 9} {
		all = append(all,
			writer(r, fmt.Sprint("compress/gzip ", level), func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, level) }),
			writer(r, fmt.Sprint("klauspost ", level), func(w io.Writer) (io.WriteCloser, error) { return kgzip.NewWriterLevel(w, level) }))
	}
	return append(all,
		writer(r, "klauspost stateless", func(w io.Writer) (io.WriteCloser, error) { return kgzip.NewWriterLevel(w, kgzip.StatelessCompression) }),
		writer(r, "pgzip", func(w io.Writer) (io.WriteCloser, error) { return pgzip.NewWriter(w), nil }),
		program("pigz"), program("pigz", "-1", "-b", "128"), program("pigz", "-9", "-i"), slow(program("pigz", "-11", "-c"), 200_000),
		program("libdeflate-gzip", "-1", "-c"), program("libdeflate-gzip", "-6", "-c"), slow(program("libdeflate-gzip", "-12", "-c"), 2<<20),
		program("igzip", "-0", "-c"), program("igzip", "-1", "-c"), program("igzip", "-2", "-c"), program("igzip", "-3", "-c"))
}

// TestEncoders decodes the output of every encoder for every kind of content, each
// as one member and all as one stream. The content depends on a seed.
func TestEncoders(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	contents := contentsOf(seed)
	var all, plain bytes.Buffer
	for _, e := range encoders(rand.New(rand.NewPCG(seed, 3))) {
		t.Run(e.name, func(t *testing.T) {
			if testing.Short() && !strings.HasSuffix(e.name, "6") { // with the race detector
				t.Skip("with -short")
			}
			for _, kind := range slices.Sorted(maps.Keys(contents)) {
				content := contents[kind]
				if e.limit > 0 {
					content = content[:min(len(content), e.limit)]
				}
				members := e.encode(t, content)
				all.Write(members)
				plain.Write(content)
				same(t, kind, bytes.NewReader(members), content)
			}
		})
	}
	same(t, "all", &all, plain.Bytes())
}

// same fails the test unless a stream decodes to content.
func same(t *testing.T, name string, stream io.Reader, content []byte) {
	t.Helper()
	h := sha256.New()
	n, err := io.Copy(h, NewReader(stream))
	if err != nil || n != int64(len(content)) || [32]byte(h.Sum(nil)) != sha256.Sum256(content) {
		t.Errorf("%s: %d bytes of %d, %v", name, n, len(content), err)
	}
}

// contentsOf returns some megabytes of each kind: the test program, random numbers,
// and data that compresses well and very well.
func contentsOf(seed uint64) map[string][]byte {
	r := rand.New(rand.NewPCG(seed, 2))
	noise := make([]byte, 1<<20+r.IntN(1<<20))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	text := new(bytes.Buffer)
	for text.Len() < 3<<20 {
		fmt.Fprintf(text, "./usr/share/doc/package-%d/file-%d type=file uid=0 mode=%o\n", r.IntN(100), r.IntN(10000), r.IntN(512))
	}
	binary, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		binary = noise
	}
	return map[string][]byte{
		"noise": noise, "text": text.Bytes(), "binary": binary[:min(len(binary), 4<<20)], "nothing": nil, "byte": {'x'},
		"zeros": make([]byte, 3<<20+r.IntN(1000)), "matches": material(r, 2<<20), "source": sources(),
	}
}

// sources returns the source text of this package.
func sources() (all []byte) {
	files, _ := filepath.Glob("*.go")
	for _, f := range files {
		raw, _ := os.ReadFile(f)
		all = append(all, raw...)
	}
	return all
}
