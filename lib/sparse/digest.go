// SPDX-License-Identifier: Apache-2.0

package sparse

import "hash/maphash"

// A Sum is a digest of the nonzero blocks of a file and their block numbers, so
// that holes and zeros are equal. It is not cryptographic. The seeds are random in
// each process, so collisions cannot be searched for offline, and a Sum must never
// be stored.
type Sum [2]uint64

var seeds = [len(Sum{})]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// A blockInput is hashed for each block.
type blockInput struct {
	previous, block uint64 // hashes
	number          int64
}

// Add adds the blocks p at offset off, a multiple of BlockSize. Only the last
// block of a file may be short.
func (s *Sum) Add(p []byte, off int64) {
	for from, to := range Runs(p) {
		for at := from; at < to; at += BlockSize {
			block := p[at:min(at+BlockSize, to)]
			for i, seed := range seeds {
				s[i] = maphash.Comparable(seed, blockInput{s[i], maphash.Bytes(seed, block), (off + at) / BlockSize})
			}
		}
	}
}

// Digest reads all of src and returns its usage and digest.
func Digest(src *Source) (Usage, Sum, error) {
	var s Sum
	usage, err := Scan(src, func(p []byte, off int64) error {
		s.Add(p, off)
		return nil
	})
	return usage, s, err
}
