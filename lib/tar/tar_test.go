// SPDX-License-Identifier: Apache-2.0

package tar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"banger/lib/tar/tartest"
)

// show reads an archive and prints it on one line: for each entry the typeflag,
// the name, -> and the link, = and the data, and fields that differ from the
// defaults of tartest.
func show(archive io.Reader) (string, error) {
	var all []string
	r := NewReader(archive)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return strings.Join(all, " "), nil
		}
		if err != nil {
			return strings.Join(all, " "), err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return strings.Join(all, " "), err
		}
		all = append(all, showEntry(h, string(data)))
	}
}

func showEntry(h *Header, data string) string {
	s := fmt.Sprintf("%c%q", h.Type, h.Name)
	if h.Link != "" {
		s += "->" + h.Link
	}
	if data != "" {
		s += "=" + data
	}
	if h.Sparse {
		s += fmt.Sprint(h.Data, " of ", h.Size)
	}
	if h.Type != Global && (h.Mode != 0o644 || h.UID != 0 || h.GID != 0) {
		s += fmt.Sprintf(" %o %d:%d", h.Mode, h.UID, h.GID)
	}
	if h.Type != Global && (h.Sec != 1 || h.Nsec != 0) {
		s += fmt.Sprintf(" @%d.%09d", h.Sec, h.Nsec)
	}
	return s
}

func file(name, data string) []byte {
	return tartest.Entry{Name: name, Type: '0', Data: data}.Bytes()
}

func long(flag byte, value string) []byte {
	return tartest.Entry{Name: "././@LongLink", Type: flag, Data: value + "\x00", Poke: tartest.GNU}.Bytes()
}

func join(entries ...[]byte) []byte { return bytes.Join(entries, nil) }

func field(off int, value string) func([]byte) {
	return func(h []byte) { copy(h[off:], value) }
}

var a = file("a", "1")

func TestReader(t *testing.T) {
	for _, c := range []struct {
		name    string
		archive []byte
		want    string
		err     string // expected part of the error
	}{
		{"an archive", tartest.Archive(a, file("b", "")), `0"a"=1 0"b"`, ""},
		{"empty input", nil, "", ""},
		{"no blocks of zeros", a, `0"a"=1`, ""},
		{"one block of zeros", append(join(a), make([]byte, 512)...), `0"a"=1`, ""},
		{"a part of a block of zeros", append(join(a), make([]byte, 100)...), `0"a"=1`, ""},
		{"one and a half blocks of zeros", append(join(a), make([]byte, 700)...), `0"a"=1`, ""},
		{"a lone block of zeros (GNU tar: 'A lone zero block')", join(a, make([]byte, 512), a), `0"a"=1`, "byte 1536: preceded by a lone zero block"},
		{"no padding after the last file", a[:513], `0"a"=1`, ""},
		{"truncated inside a header", join(a, a[:300]), `0"a"=1`, "unexpected EOF"},
		{"truncated inside a file", tartest.Entry{Name: "a", Type: '0', Data: strings.Repeat("x", 600)}.Bytes()[:1000], "", "unexpected EOF"},
		{"truncated after an extended header", join(a, tartest.Pax("path", "b")), `0"a"=1`, "unexpected EOF"},
		{"zeros after an extended header", tartest.Archive(a, tartest.Pax("path", "b")), `0"a"=1`, "unexpected EOF"},
		{"truncated inside an extended header", tartest.Pax("path", "b")[:515], "", "unexpected EOF"},
		{"a wrong checksum", join(a, tartest.Entry{Name: "b", Type: '0', Damage: true}.Bytes()), `0"a"=1`, "byte 1024: invalid header checksum"},

		{"typeflags NUL and 7 are files", join(tartest.Entry{Name: "a", Type: 0, Data: "1"}.Bytes(), tartest.Entry{Name: "b", Type: '7', Data: "2"}.Bytes()),
			`0"a"=1 7"b"=2`, ""},
		{"types without data, whatever their size", join(tartest.Entry{Name: "d", Type: '5', Size: "00000000777\x00"}.Bytes(),
			tartest.Entry{Name: "l", Link: "x", Type: '2', Size: "00000000777\x00"}.Bytes(), a), `5"d" 2"l"->x 0"a"=1`, ""},
		{"a hard link with the size of its file", join(tartest.Entry{Name: "h", Link: "a", Type: '1', Size: "00000000777\x00"}.Bytes(), a),
			`1"h"->a 0"a"=1`, ""},
		{"a hard link with a size at the end", tartest.Entry{Name: "h", Link: "a", Type: '1', Size: "00000000777\x00"}.Bytes(), `1"h"->a`, ""},
		{"a hard link with a size before zeros", tartest.Archive(tartest.Entry{Name: "h", Link: "a", Type: '1', Size: "00000000777\x00"}.Bytes()), `1"h"->a`, ""},
		{"a hard link with data (pax)", join(tartest.Entry{Name: "h", Link: "a", Type: '1', Data: "1"}.Bytes(), a), `1"h"->a=1 0"a"=1`, ""},
		{"a typeflag of a vendor", join(tartest.Entry{Name: "v", Type: 'V', Data: "1"}.Bytes(), a), `V"v"=1 0"a"=1`, ""},

		{"a name that fills its field", file(strings.Repeat("n", 100), ""), `0"` + strings.Repeat("n", 100) + `"`, ""},
		{"ustar's prefix", tartest.Entry{Name: "a", Type: '0', Poke: field(345, "some/where")}.Bytes(), `0"some/where/a"`, ""},
		{"star's prefix of 131 bytes", tartest.Entry{Name: "a", Type: '0', Poke: func(h []byte) {
			copy(h[345:], strings.Repeat("p", 131)+"00000000001 00000000001 ")
			copy(h[508:], "tar\x00")
		}}.Bytes(), `0"` + strings.Repeat("p", 131) + `/a"`, ""},
		{"V7 has no prefix", tartest.Entry{Name: "a", Type: 0, Poke: func(h []byte) { clear(h[257:265]); copy(h[345:], "junk") }}.Bytes(), `0"a"`, ""},
		{"GNU has times in place of a prefix", tartest.Entry{Name: "a", Type: '0', Poke: func(h []byte) { tartest.GNU(h); copy(h[345:], tartest.Octal(7)+tartest.Octal(7)) }}.Bytes(), `0"a"`, ""},
		{"early Docker has a prefix in GNU headers (golang/go#12594)", tartest.Entry{Name: "a", Type: '0', Poke: func(h []byte) { tartest.GNU(h); copy(h[345:], "usr/lib") }}.Bytes(), `0"usr/lib/a"`, ""},
		{"GNU's long names", join(long('L', "long/name"), long('K', "long/link"), tartest.Entry{Name: "short", Link: "l", Type: '2'}.Bytes(), a),
			`2"long/name"->long/link 0"a"=1`, ""},
		{"pax overrides GNU long names", join(long('L', "gnu"), tartest.Pax("path", "pax"), a), `0"pax"=1`, ""},
		{"also if it comes first", join(tartest.Pax("path", "pax"), long('L', "gnu"), a), `0"pax"=1`, ""},

		{"pax over the header", join(tartest.Pax("path", "p", "uid", "4000000000", "gid", "8", "mtime", "2.5", "size", "3"),
			tartest.Entry{Name: "a", Type: '0', UID: "junk", Size: "junk", Time: "junk", Data: "abc"}.Bytes()), `0"p"=abc 644 4000000000:8 @2.500000000`, ""},
		{"empty pax values are ignored", join(tartest.Pax("path", "", "uid", "", "gid", "", "mtime", "", "size", "", "linkpath", ""), a), `0"a"=1`, ""},
		{"the last of two records", join(tartest.Pax("path", "x", "path", "y"), a), `0"y"=1`, ""},
		{"two extended headers are merged", join(tartest.Pax("path", "x", "uid", "7"), tartest.Pax("path", "y"), a), `0"y"=1 644 7:0`, ""},
		{"a global header is returned and ignored", join(tartest.Global("path", "x", "uid", "7"), a), `g"PaxHeader" 0"a"=1`, ""},
		{"a global header between an extended header and its entry", join(tartest.Pax("path", "x"), tartest.Global("uid", "7"), a), `g"PaxHeader" 0"x"=1`, ""},
		{"a malformed global header", join(tartest.Entry{Name: "g", Type: 'g', Data: "junk"}.Bytes(), a), "", "pax record at byte 0"},
		{"a value with newline, = and NUL", join(tartest.Pax("comment", "a=b\nc\x00d", "path", "x"), a), `0"x"=1`, ""},
		{"a record that is too long", join(tartest.Entry{Type: 'x', Data: "12 path=x\n"}.Bytes(), a), "", "pax record at byte 0"},
		{"a record that is too short", join(tartest.Entry{Type: 'x', Data: "8 path=x\n"}.Bytes(), a), "", "pax record at byte 0"},
		{"a record of length 0", join(tartest.Entry{Type: 'x', Data: "0 path=x\n"}.Bytes(), a), "", "pax record at byte 0"},
		{"a record without a key", join(tartest.Entry{Type: 'x', Data: "6 =xy\n"}.Bytes(), a), "", "pax record at byte 0"},
		{"a record without =", join(tartest.Entry{Type: 'x', Data: "6 abc\n"}.Bytes(), a), "", "pax record at byte 0"},
		{"a length with a sign", join(tartest.Entry{Type: 'x', Data: "+9 path=x\n"}.Bytes(), a), "", "pax record at byte 0"},
		{"a length without a space after it", join(tartest.Entry{Type: 'x', Data: "00000000000000000025xa=b\n"}.Bytes(), a), "", "pax record at byte 0"},
		{"an extended header size that is not a number", tartest.Entry{Type: 'x', Size: "abc"}.Bytes(), "", `extended header: size: invalid octal number "abc"`},
		{"a negative extended header size", tartest.Entry{Type: 'x', Size: tartest.Base256(12, -1)}.Bytes(), "", "extended header: size: -1 is negative"},
		{"a uid that is not a number", join(tartest.Pax("uid", "1x"), a), "", `pax record uid: invalid number "1x"`},
		{"a uid over 64 bits", join(tartest.Pax("uid", "99999999999999999999"), a), "", "number out of range"},
		{"a negative size", join(tartest.Pax("size", "-1"), a), "", "invalid size -1"},
		{"extended headers of 4 GiB", tartest.Entry{Type: 'x', Size: tartest.Base256(12, 4<<30)}.Bytes(), "", "too large"},
		{"a truncated extended header", tartest.Entry{Type: 'x', Size: tartest.Octal(3 << 20)}.Bytes(), "", "unexpected EOF"},
		{"a size that is not a number", tartest.Entry{Name: "a", Type: '0', Size: "abc"}.Bytes(), "", `size: invalid octal number "abc"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := show(iotest.OneByteReader(bytes.NewReader(c.archive)))
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if (err != nil) != (c.err != "") || err != nil && (!strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("error %q, want one line with %q", err, c.err)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		field string
		want  int64
		err   bool
	}{
		{"0000644\x00", 0o644, false}, {"   644 \x00", 0o644, false}, {"00000644", 0o644, false}, {"644\x00 junk", 0o644, false}, {"6junk", 0, true},
		{"\x00\x00\x00\x00", 0, false}, {"        ", 0, false}, {"\x80\x00\x00\x00\x00\x00\x01\x00", 256, false},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", -2, false}, {"\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", 1<<63 - 1, false},
		{"\x80\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00", 1<<63 - 1, true}, {"\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\x00\x00", -1 << 63, false},
		{"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", -1 << 63, true}, {"-0000001", 0, true}, {"00000008", 0, true}, {"0x1", 0, true},
		{"777777777777777777777", 1<<63 - 1, false}, {"7777777777777777777777", 0, true}, {"+7", 0, true}, {"0_7", 0, true},
	} {
		got, err := number([]byte(c.field))
		if got != c.want || (err != nil) != c.err {
			t.Errorf("%q: %d, %v, want %d", c.field, got, err, c.want)
		}
	}
}

func TestTimestamps(t *testing.T) {
	for _, c := range []struct {
		value string
		sec   int64
		nsec  uint32
		err   bool
	}{
		{"0", 0, 0, false}, {"1.5", 1, 500000000, false}, {"1.", 1, 0, false}, {".5", 0, 500000000, false},
		{"1.1234567899", 1, 123456789, false}, {"-1", -1, 0, false}, {"-1.5", -2, 500000000, false}, {"-.5", -1, 500000000, false},
		{"-1.0000000001", -2, 999999999, false}, {"-1.9999999999", -2, 0, false}, {"-0.0", 0, 0, false},
		{"99999999999999999999.5", 1<<63 - 1, 0, false}, {"-99999999999999999999.5", -1 << 63, 0, false},
		{"", 0, 0, true}, {".", 0, 0, true}, {"-", 0, 0, true}, {"1.5x", 0, 0, true}, {"1e9", 0, 0, true}, {"1.-5", 0, 0, true}, {"+1", 0, 0, true},
	} {
		sec, nsec, err := timestamp(c.value)
		if (err != nil) != c.err || err == nil && (sec != c.sec || nsec != c.nsec) {
			t.Errorf("%q: %d.%09d, %v, want %d.%09d", c.value, sec, nsec, err, c.sec, c.nsec)
		}
	}
}

// The number of empty extended headers is limited.
func TestEndlessHeaders(t *testing.T) {
	for _, flag := range []byte("xLK") {
		header := tartest.Entry{Type: flag}.Bytes()
		if _, err := NewReader(&endless{block: header}).Next(); err == nil || !strings.Contains(err.Error(), "extended headers") {
			t.Errorf("headers of type %c: %v", flag, err)
		}
	}
}

// A name or a link target does not keep the extended header in memory that it is from.
func TestHeaderReleased(t *testing.T) {
	const size, entries = 1 << 17, 16
	padded := strings.Repeat("\x00", size)
	for name, header := range map[string][]byte{
		"L":   tartest.Entry{Type: 'L', Data: "name" + padded}.Bytes(),
		"K":   tartest.Entry{Type: 'K', Data: "link" + padded}.Bytes(),
		"pax": tartest.Pax("path", "name", "linkpath", "link", "comment", padded),
	} {
		entry := append(header, tartest.Entry{Name: "a", Type: Symlink, Link: "b"}.Bytes()...)
		archive := bytes.Repeat(entry, entries)
		r := NewReader(bytes.NewReader(archive))
		var kept []string
		before := heap()
		for range entries {
			h, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, h.Name, h.Link)
		}
		if grown := int64(heap() - before); grown > entries*size/4 {
			t.Errorf("%s: %d bytes in use for %q", name, grown, kept[:2])
		}
		runtime.KeepAlive(archive)
		runtime.KeepAlive(kept)
	}
}

// heap returns the bytes of all objects that are reachable.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Read errors of the source are returned.
func TestReaderErrors(t *testing.T) {
	cause := errors.New("damaged")
	whole := join(tartest.Pax("path", "x"), file("a", strings.Repeat("x", 600)), a)
	for n := range len(whole) {
		if _, err := show(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(cause))); !errors.Is(err, cause) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
}

// Only two blocks of zeros terminate an archive.
func TestTerminated(t *testing.T) {
	for zeros, want := range map[int]bool{0: false, 512: false, 1000: false, 1024: true, 10240: true} {
		r := NewReader(bytes.NewReader(append(join(a), make([]byte, zeros)...)))
		for {
			if _, err := r.Next(); err != nil {
				if err != io.EOF || r.Terminated != want {
					t.Errorf("%d bytes of zeros: %v, %v", zeros, r.Terminated, err)
				}
				break
			}
		}
		rest, err := io.ReadAll(r.Rest())
		if len(rest) != max(0, zeros-1024) || err != nil {
			t.Errorf("%d bytes of zeros: %d follow, %v", zeros, len(rest), err)
		}
	}
}
