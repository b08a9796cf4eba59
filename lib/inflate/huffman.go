// SPDX-License-Identifier: Apache-2.0

package inflate

import "math/bits"

// A Huffman code is decoded by a table that is indexed by the next bits of the
// input. An entry says what they begin with. A code that is longer than the
// index has an entry that leads to a subtable, which follows the table proper
// and is indexed by the bits after those.
//
// An entry is, from the lowest bit:
//
//	 6 bits  how many bits of input it takes, the extra bits included
//	 2 bits  unused
//	 4 bits  how many of them are the code's; of a pointer, the subtable's index
//	 1 bit   unused
//	 3 flags
//	15 bits  a literal, a length, a distance, or where the subtable starts
//	 1 flag  literal
type entry uint32

const (
	takesMask  = 63
	codeShift  = 8
	codeMask   = 15
	valueShift = 16
	valueMask  = 1<<15 - 1

	flagPointer entry = 1 << 13 // to a subtable
	flagEnd     entry = 1 << 14 // end of block
	flagSpecial entry = 1 << 15 // a pointer, the end of the block, or no code at all
	flagLiteral entry = 1 << 31

	noCode = flagSpecial
)

// The limits of the format (RFC 1951, 3.2.5 to 3.2.7). The fixed codes have two
// more symbols each, which are never valid.
const (
	maxCode      = 15 // bits
	maxLiterals  = 286
	maxDistances = 30
	maxSymbols   = 288 + 32
)

// Index widths, and sizes that hold the largest table that any set of lengths
// makes: 2342 and 402 entries are needed, as zlib's examples/enough.c counts.
// They are powers of two, so that a masked index is in range.
const (
	literalBits  = 11
	distanceBits = 8
	lengthsBits  = 7 // the longest code of code lengths: no subtables

	literalSize  = 1 << 12
	distanceSize = 1 << 9
	lengthsSize  = 1 << lengthsBits
)

// takes is how many bits of input an entry takes.
func (e entry) takes() uint64 { return uint64(e & takesMask) }

// value is the literal, or the length or distance but for its extra bits.
func (e entry) value() int { return int(e >> valueShift & valueMask) }

// extra returns the extra bits of an entry, which follow its code in b.
func (e entry) extra(b uint64) int {
	return int(b & (1<<(e&takesMask) - 1) >> (e >> codeShift & codeMask))
}

// The meaning of symbols (RFC 1951, 3.2.5), each an entry that still takes its
// extra bits only. Codes that mean nothing are part of the fixed code.
var (
	literalMeaning  [288]entry
	distanceMeaning [32]entry
	lengthsMeaning  [19]entry // the code lengths themselves are values
)

func init() {
	for i := range 256 {
		literalMeaning[i] = flagLiteral | entry(i)<<valueShift
	}
	literalMeaning[256] = flagSpecial | flagEnd
	length := 3
	for i := 257; i < maxLiterals; i++ {
		extra := max(0, (i-261)/4)
		if i == 285 {
			length, extra = 258, 0
		}
		literalMeaning[i] = entry(length)<<valueShift | entry(extra)
		length += 1 << extra
	}
	literalMeaning[286], literalMeaning[287] = noCode, noCode
	distance := 1
	for i := range maxDistances {
		extra := max(0, (i-2)/2)
		distanceMeaning[i] = entry(distance)<<valueShift | entry(extra)
		distance += 1 << extra
	}
	distanceMeaning[30], distanceMeaning[31] = noCode, noCode
	for i := range lengthsMeaning {
		lengthsMeaning[i] = entry(i) << valueShift
	}
}

// build makes the table of the code whose lengths are given, a symbol each; 0
// is a symbol without a code. It reports whether they are the lengths of a code:
// a complete one, or one of a single symbol, or none. The table has an index of
// width bits.
func build(table []entry, width int, lengths []uint8, meaning []entry) bool {
	var count [maxCode + 1]int
	for _, n := range lengths {
		count[n]++
	}
	longest := maxCode
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	// Kraft's sum, before anything is written: the codes of each length take
	// so many of the longest there could be.
	space := 0
	for n := 1; n <= longest; n++ {
		space = space<<1 + count[n]
		if space > 1<<n {
			return false
		}
	}
	if complete := space == 1<<longest; longest > 0 && !complete && (longest != 1 || space != 1) {
		return false
	}
	var sorted [maxSymbols]uint16 // the symbols by their codes
	b := builder{table: table, width: width, longest: longest, lengths: lengths, meaning: meaning}
	b.fill(sort(&sorted, &count, lengths))
	return true
}

// sort orders the symbols that have a code by it: by length, then by symbol.
func sort(into *[maxSymbols]uint16, count *[maxCode + 1]int, lengths []uint8) []uint16 {
	var next [maxCode + 2]int
	for n := 1; n <= maxCode; n++ {
		next[n+1] = next[n] + count[n]
	}
	for symbol, n := range lengths {
		if n > 0 {
			into[next[n]] = uint16(symbol)
			next[n]++
		}
	}
	return into[:next[maxCode]]
}

// A builder fills a table.
type builder struct {
	table   []entry
	width   int // of the index of the table proper, bits
	longest int
	lengths []uint8
	meaning []entry

	used      int // of the table
	sub       int // where the present subtable starts
	subWidth  int
	subPrefix int // the reversed start of its codes
}

// fill enters the symbols, which are sorted by their codes.
func (b *builder) fill(sorted []uint16) {
	b.used, b.subPrefix = 1<<b.width, -1
	b.table[0] = noCode
	have := 0 // bits of the index so far: a longer one repeats the entries
	code, length := 0, 0
	for i, symbol := range sorted {
		n := int(b.lengths[symbol])
		have = b.widen(have, min(n, b.width))
		code <<= n - length
		length = n
		// The first bit of a code is the lowest of the input's.
		reversed := int(bits.Reverse16(uint16(code)) >> (16 - n))
		if n <= b.width {
			b.table[reversed] = b.meaningOf(symbol, n)
		} else {
			b.enterSub(reversed, n, sorted[i:])
		}
		code++
	}
	b.widen(have, b.width)
}

// widen repeats the entries of an index of so many bits for one of more.
func (b *builder) widen(have, want int) int {
	for ; have < want; have++ {
		copy(b.table[1<<have:2<<have], b.table[:1<<have])
	}
	return have
}

// meaningOf is the entry of a symbol whose code takes n bits at its place in the
// table or subtable.
func (b *builder) meaningOf(symbol uint16, n int) entry {
	return b.meaning[symbol] + entry(n) + entry(n)<<codeShift
}

// enterSub writes an entry into the subtable of its code's first bits, which is
// begun if the code is the first of it.
func (b *builder) enterSub(reversed, n int, rest []uint16) {
	if prefix := reversed & (1<<b.width - 1); prefix != b.subPrefix {
		b.subPrefix, b.sub, b.subWidth = prefix, b.used, b.widthOfSub(n, rest)
		b.used += 1 << b.subWidth
		b.table[prefix] = flagSpecial | flagPointer | entry(b.sub)<<valueShift | entry(b.subWidth)<<codeShift | entry(b.width)
	}
	// Wherever the index of the subtable ends with the rest of the code.
	n -= b.width
	e := b.meaningOf(rest[0], n)
	for i := b.sub + reversed>>b.width; i < b.used; i += 1 << n {
		b.table[i] = e
	}
}

// widthOfSub is the index width of a subtable: what its longest code has behind
// the prefix. As the code is complete, the codes from the first on that have the
// prefix are those that fill the subtable.
func (b *builder) widthOfSub(n int, rest []uint16) int {
	width := n - b.width
	space := 1 << width
	for _, symbol := range rest {
		for int(b.lengths[symbol]) > b.width+width {
			width++
			space <<= 1
		}
		if space -= 1 << (b.width + width - int(b.lengths[symbol])); space <= 0 {
			break
		}
	}
	return width
}
