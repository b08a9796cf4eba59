// SPDX-License-Identifier: Apache-2.0

package sparse

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// A Sum is the digest of a content that does not read its zero blocks: of the
// others, each with its number. Holes and zeros come to the same.
type Sum [sha256.Size]byte

// A Digester makes the digest of a content from its runs of blocks.
type Digester struct{ h hash.Hash }

// NewDigester returns a digester that has seen no block.
func NewDigester() *Digester { return &Digester{sha256.New()} }

// Add adds what a content has at an offset, that of a block: blocks, the last
// of the content as long as it is.
func (d *Digester) Add(p []byte, off int64) {
	for from, to := range Runs(p) {
		for at := from; at < to; at += BlockSize {
			var number [8]byte
			binary.LittleEndian.PutUint64(number[:], uint64((off+at)/BlockSize))
			d.h.Write(number[:])
			d.h.Write(p[at:min(at+BlockSize, to)])
		}
	}
}

// Sum returns the digest of what has been added.
func (d *Digester) Sum() (sum Sum) {
	d.h.Sum(sum[:0])
	return sum
}

// Digest reads a source through and digests it.
func Digest(src *Source) (Usage, Sum, error) {
	d := NewDigester()
	usage, err := Scan(src, func(p []byte, off int64) error {
		d.Add(p, off)
		return nil
	})
	return usage, d.Sum(), err
}
