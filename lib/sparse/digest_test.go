// SPDX-License-Identifier: Apache-2.0

package sparse

import (
	"bytes"
	"slices"
	"testing"
)

func sum(t testing.TB, src *Source) Sum {
	_, s, err := Digest(src)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The sum depends on the content alone, not on how it is read.
func TestDigest(t *testing.T) {
	seen := map[Sum]string{}
	for _, words := range []string{"", ".", "x", "0x", "x0x", "xx", "x.", "x0.", "00x", "0xx", "x00x"} {
		c := content(words)
		s := sum(t, whole(bytes.NewReader(c)))
		if other, ok := seen[s]; ok {
			t.Errorf("%q and %q have the same sum", words, other)
		}
		seen[s] = words
		if got := sum(t, whole(bytes.NewReader(append(slices.Clone(c), content("0")...)))); len(c)%BlockSize == 0 && got != s {
			t.Errorf("%q: trailing zeros change the sum", words)
		}
		if len(c) > 0 && sum(t, &Source{Bytes: c}) != s {
			t.Errorf("%q: different sum from memory", words)
		}
	}
	c := bytes.Repeat([]byte("content "), BlockSize/4)
	s := sum(t, whole(bytes.NewReader(c)))
	for bit := range 8 * len(c) {
		c[bit/8] ^= 1 << (bit % 8)
		if sum(t, whole(bytes.NewReader(c))) == s {
			t.Fatalf("bit %d does not change the sum", bit)
		}
		c[bit/8] ^= 1 << (bit % 8)
	}
}

func BenchmarkDigest(b *testing.B) {
	c := bytes.Repeat([]byte("content "), 1<<20)
	b.SetBytes(int64(len(c)))
	for b.Loop() {
		sum(b, &Source{Bytes: c})
	}
}
