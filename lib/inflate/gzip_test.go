// SPDX-License-Identifier: Apache-2.0

package inflate

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"time"
)

// member is a content as one member of compress/gzip's.
func member(content []byte, change func(*gzip.Header)) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if change != nil {
		change(&w.Header)
	}
	w.Write(content)
	w.Close()
	return b.Bytes()
}

// withHeaderCRC adds the CRC of FHCRC to a header of size bytes. damage changes it.
func withHeaderCRC(member []byte, size int, damage uint16) []byte {
	h := append([]byte(nil), member[:size]...)
	h[3] |= flagHeaderCRC
	h = binary.LittleEndian.AppendUint16(h, uint16(crc32.ChecksumIEEE(h))^damage)
	return append(h, member[size:]...)
}

// with returns a copy with a byte changed, counted from the end if at is
// negative.
func with(b []byte, at int, change byte) []byte {
	b = append([]byte(nil), b...)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= change
	return b
}

var long = func(h *gzip.Header) {
	h.Name, h.Comment, h.Extra = string(bytes.Repeat([]byte("name"), 100)), "a comment", make([]byte, 60000)
}

// TestMembers reads consecutive members with every header field.
func TestMembers(t *testing.T) {
	a := material(rand.New(rand.NewPCG(1, 1)), 700_000)
	b := []byte("and more")
	name := append([]byte{0x1f, 0x8b, 8, flagName, 0, 0, 0, 0, 0, 3}, append(bytes.Repeat([]byte("n"), 5000), 0)...)
	for _, c := range []struct {
		name   string
		stream []byte
		want   []byte
	}{
		{"one", member(a, nil), a},
		{"many", bytes.Join([][]byte{member(a, nil), member(b, nil), member(a, nil)}, nil), bytes.Join([][]byte{a, b, a}, nil)},
		{"empty ones", bytes.Join([][]byte{member(nil, nil), member(b, nil), member(nil, nil), member(nil, nil)}, nil), b},
		{"of nothing", member(nil, nil), nil},
		{"no member", nil, nil},
		{"all fields", member(a, long), a},
		{"a long name", append(name, member(b, nil)[10:]...), b},
		{"CRC of the header", withHeaderCRC(member(a, nil), 10, 0), a},
		{"CRC of all fields", withHeaderCRC(member(a, long), 10+2+60000+401+10, 0), a},
		{"a match into the member before", append(member(a, nil), member(a[:300], nil)...), append(a[:len(a):len(a)], a[:300]...)},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader,
			"halves": iotest.HalfReader, "early end": iotest.DataErrReader,
		} {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				got, err := io.ReadAll(NewReader(wrap(bytes.NewReader(c.stream))))
				if err != nil || !bytes.Equal(got, c.want) {
					t.Errorf("%d bytes of %d, %v", len(got), len(c.want), err)
				}
			})
		}
	}
}

// TestDamaged checks the error for each kind of invalid gzip.
func TestDamaged(t *testing.T) {
	a := material(rand.New(rand.NewPCG(2, 1)), 300_000)
	whole := member(a, nil)
	for _, c := range []struct {
		name   string
		stream []byte
		want   error
	}{
		{"wrong magic", with(whole, 0, 1), ErrHeader},
		{"another method", with(whole, 2, 1), ErrHeader},
		{"a reserved flag", with(whole, 3, 0x20), ErrHeader},
		{"a name without end", append([]byte{0x1f, 0x8b, 8, flagName, 0, 0, 0, 0, 0, 3}, bytes.Repeat([]byte("n"), 1<<20)...), ErrHeader},
		{"a wrong CRC of the header", withHeaderCRC(whole, 10, 1), ErrHeader},
		{"a wrong CRC", with(whole, -5, 1), ErrChecksum},
		{"a wrong length", with(whole, -1, 0x80), ErrChecksum},
		{"garbage after it", append(append([]byte(nil), whole...), "garbage, garbage"...), ErrHeader},
		{"a byte after it", append(append([]byte(nil), whole...), 0x1f), io.ErrUnexpectedEOF},
		{"cut in the header", whole[:9], io.ErrUnexpectedEOF},
		{"cut in the name", member(a, long)[:60020], io.ErrUnexpectedEOF},
		{"cut in the trailer", whole[:len(whole)-1], io.ErrUnexpectedEOF},
		{"a second member cut", append(append([]byte(nil), whole...), whole[:100]...), io.ErrUnexpectedEOF},
	} {
		got, err := io.ReadAll(NewReader(bytes.NewReader(c.stream)))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %d bytes, %v; want %v", c.name, len(got), err, c.want)
		}
	}
	corrupt := new(CorruptError)
	_, err := io.ReadAll(NewReader(bytes.NewReader(append(whole[:10:10], 0x06))))
	if !errors.As(err, &corrupt) || corrupt.Offset < 10 {
		t.Errorf("an unknown block: %v", err)
	}
}

// TestTruncated: a stream truncated at any byte is an error.
func TestTruncated(t *testing.T) {
	content := contentsOf(3)["text"][:120_000]
	whole := member(content, nil)
	if len(whole) < 10_000 {
		t.Fatalf("only %d bytes", len(whole))
	}
	step := 1
	if testing.Short() { // with the race detector, which takes ten times as long
		step = 100
	}
	for cut := 0; cut < len(whole); cut += step {
		got, err := io.ReadAll(NewReader(bytes.NewReader(whole[:cut])))
		if !bytes.HasPrefix(content, got) || cut > 0 && err != io.ErrUnexpectedEOF {
			t.Fatalf("cut at %d of %d: %d bytes, %v", cut, len(whole), len(got), err)
		}
	}
}

// TestFlipped: a stream with a flipped bit is an error or has the same content.
func TestFlipped(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	content := material(r, 50_000)
	whole := member(content, nil)
	flips := 4000
	if testing.Short() {
		flips /= 50
	}
	for range flips {
		at, bit := r.IntN(len(whole)), byte(1)<<r.IntN(8)
		got, err := io.ReadAll(NewReader(bytes.NewReader(with(whole, at, bit))))
		if err == nil && !bytes.Equal(got, content) {
			t.Fatalf("byte %d, bit %#x: %d bytes, and no error", at, bit, len(got))
		}
	}
}

// TestErrors: an error of the source is returned after the data before it, and
// again after that. A source without data and without an error is an error.
func TestErrors(t *testing.T) {
	content := material(rand.New(rand.NewPCG(4, 1)), 200_000)
	whole := member(content, nil)
	broken := errors.New("broken")
	r := NewReader(io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), iotest.ErrReader(broken)))
	got, err := io.ReadAll(r)
	if err != broken || len(got) < 50_000 || !bytes.HasPrefix(content, got) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != broken {
		t.Errorf("again: %d, %v", n, err)
	}
	if _, err := io.ReadAll(NewReader(silent{})); err != io.ErrNoProgress {
		t.Errorf("a silent source: %v", err)
	}
	// Also after a whole member, where io.EOF would be the end.
	for _, cut := range []error{io.ErrUnexpectedEOF, fmt.Errorf("connection cut: %w", io.ErrUnexpectedEOF)} {
		got, err := io.ReadAll(NewReader(io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(cut))))
		if err != cut || !bytes.Equal(got, content) {
			t.Errorf("%d bytes, %v; want %v", len(got), err, cut)
		}
	}
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

// TestFlushed: flushed data is returned before more input arrives.
func TestFlushed(t *testing.T) {
	from, to := io.Pipe()
	read := make(chan struct{})
	defer from.Close()
	go func() {
		w := gzip.NewWriter(to)
		fmt.Fprint(w, "first")
		w.Flush()
		<-read
		fmt.Fprint(w, "second")
		w.Close() // ends a member, and another may follow
	}()
	r := NewReader(from)
	for _, want := range []string{"first", "second"} {
		got, err := r.Next(new(Buffer))
		if err != nil || string(got) != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
		if want == "first" {
			close(read)
		}
	}
}

// TestMemberInBuffer: a member that begins after another in a buffer and continues
// over many can refer back to its own start, but no further.
func TestMemberInBuffer(t *testing.T) {
	first, second := material(rand.New(rand.NewPCG(7, 1)), 300_000), material(rand.New(rand.NewPCG(8, 1)), 3<<20)
	got, err := io.ReadAll(NewReader(bytes.NewReader(append(member(first, nil), member(second, nil)...))))
	if err != nil || !bytes.Equal(got, append(first, second...)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// A match of length 3 at distance 1, as the first symbol of the second: fixed
	// codes 0000001 and 00000.
	stream := append(member(first, nil), 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x03, 0x02, 0x00)
	corrupt := new(CorruptError)
	if _, err := io.ReadAll(NewReader(bytes.NewReader(stream))); !errors.As(err, &corrupt) || corrupt.What != "distance too far back" {
		t.Errorf("%v", err)
	}
}

// TestBuffers: one buffer and several in any order give the same data.
func TestBuffers(t *testing.T) {
	content := bytes.Repeat(material(rand.New(rand.NewPCG(5, 1)), 400_000), 12)
	whole := member(content, nil)
	random := rand.New(rand.NewPCG(6, 1))
	for count := 1; count < 4; count++ {
		r, buffers, got := NewReader(bytes.NewReader(whole)), make([]Buffer, count), []byte(nil)
		for {
			plain, err := r.Next(&buffers[random.IntN(count)])
			if got = append(got, plain...); err == io.EOF {
				break
			}
			if err != nil || len(plain) == 0 {
				t.Fatalf("%d bytes, %v", len(plain), err)
			}
		}
		if !bytes.Equal(got, content) {
			t.Errorf("%d buffers: %d bytes of %d, or wrong ones", count, len(got), len(content))
		}
	}
}
