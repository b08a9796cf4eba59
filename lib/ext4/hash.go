// SPDX-License-Identifier: Apache-2.0

package ext4

import "math/bits"

// nameHash returns the hash by which an indexed directory sorts a name: half-MD4
// with a seed, over signed chars (fs/ext4/hash.c, EXT4_HTREE_EOF_32BIT). The
// lowest bit is always 0.
func nameHash(seed [4]uint32, name string) uint32 {
	state := seed
	if seed == [4]uint32{} {
		state = [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	}
	for {
		in := hashInput(name)
		halfMD4(&state, &in)
		if len(name) <= 32 {
			break
		}
		name = name[32:]
	}
	const last = 0x7fffffff << 1 // marks the end of a directory
	hash := state[1] &^ 1
	if hash == last {
		hash -= 2
	}
	return hash
}

// hashInput returns up to 32 bytes of a name as words, padded with the length of
// the name.
func hashInput(name string) (in [8]uint32) {
	pad := uint32(len(name)) * 0x01010101
	name = name[:min(len(name), 32)]
	for i := range in {
		word := pad
		for at := 4 * i; at < min(4*i+4, len(name)); at++ {
			word = uint32(int8(name[at])) + word<<8
		}
		in[i] = word
	}
	return in
}

// halfMD4 adds eight words to state. It is MD4 (RFC 1320) with rounds of half the
// length (lib/halfmd4.c).
func halfMD4(state *[4]uint32, in *[8]uint32) {
	a, b, c, d := state[0], state[1], state[2], state[3]
	for _, r := range halfMD4Rounds {
		for i := 0; i < 8; i += 4 {
			a = bits.RotateLeft32(a+r.mix(b, c, d)+in[r.order[i]]+r.add, r.shift[0])
			d = bits.RotateLeft32(d+r.mix(a, b, c)+in[r.order[i+1]]+r.add, r.shift[1])
			c = bits.RotateLeft32(c+r.mix(d, a, b)+in[r.order[i+2]]+r.add, r.shift[2])
			b = bits.RotateLeft32(b+r.mix(c, d, a)+in[r.order[i+3]]+r.add, r.shift[3])
		}
	}
	state[0], state[1], state[2], state[3] = state[0]+a, state[1]+b, state[2]+c, state[3]+d
}

var halfMD4Rounds = [3]struct {
	mix   func(x, y, z uint32) uint32
	add   uint32
	order [8]int
	shift [4]int
}{
	{func(x, y, z uint32) uint32 { return z ^ x&(y^z) }, 0, [8]int{0, 1, 2, 3, 4, 5, 6, 7}, [4]int{3, 7, 11, 19}},
	{func(x, y, z uint32) uint32 { return x&y + (x^y)&z }, 0x5a827999, [8]int{1, 3, 5, 7, 0, 2, 4, 6}, [4]int{3, 5, 9, 13}},
	{func(x, y, z uint32) uint32 { return x ^ y ^ z }, 0x6ed9eba1, [8]int{3, 7, 2, 6, 1, 5, 0, 4}, [4]int{3, 9, 11, 15}},
}

// hashSeed returns the hash seed of the filesystem.
func (m *Image) hashSeed() (seed [4]uint32) {
	for i := range seed {
		seed[i] = le.Uint32(m.super[sbHashSeed+4*i:])
	}
	return seed
}
