// SPDX-License-Identifier: Apache-2.0

package inflate

import "math/bits"

// An entry is an entry of the decoding table of a Huffman code. The next bits of
// the input index the main table. For a code longer than this index, the entry
// points to a subtable, which follows the main table and is indexed by the bits
// after those.
//
// The bits of an entry, from the lowest:
//
//	 6 bits  number of input bits it takes, extra bits included
//	 2 bits  unused
//	 4 bits  length of the code; of a pointer, index width of the subtable
//	 1 bit   unused
//	 3 flags
//	15 bits  literal, length, distance, or offset of the subtable
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
	flagSpecial entry = 1 << 15 // pointer, end of block, or invalid code
	flagLiteral entry = 1 << 31

	noCode = flagSpecial
)

// Limits of the format (RFC 1951, 3.2.5 to 3.2.7). The fixed codes have two more
// symbols each, which are never valid.
const (
	maxCode      = 15 // bits
	maxLiterals  = 286
	maxDistances = 30
	maxSymbols   = 288 + 32
)

// Index widths and sizes of the tables. The largest tables need 2342 and 402
// entries, as computed by examples/enough.c of zlib. The sizes are powers of two,
// so that a masked index is in range.
const (
	literalBits  = 11
	distanceBits = 8
	lengthsBits  = 7 // longest code length code, so that it needs no subtables

	literalSize  = 1 << 12
	distanceSize = 1 << 9
	lengthsSize  = 1 << lengthsBits
)

// takes returns the number of input bits of an entry.
func (e entry) takes() uint64 { return uint64(e & takesMask) }

// value returns the literal, or the length or distance without its extra bits.
func (e entry) value() int { return int(e >> valueShift & valueMask) }

// extra returns the extra bits of an entry. They follow its code in b.
func (e entry) extra(b uint64) int {
	return int(b & (1<<(e&takesMask) - 1) >> (e >> codeShift & codeMask))
}

// The meaning of each symbol (RFC 1951, 3.2.5), as an entry that takes only its
// extra bits. The invalid symbols of the fixed codes are included.
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

// build fills the table of a code with an index of width bits. lengths holds the
// code length of each symbol, 0 for a symbol without a code. It reports whether
// the code is valid: complete, of a single symbol of one bit, or empty.
func build(table []entry, width int, lengths []uint8, meaning []entry) bool {
	var count [maxCode + 1]int
	for _, n := range lengths {
		count[n]++
	}
	longest := maxCode
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	// Compute the Kraft sum, in units of the longest code, before anything is
	// written.
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
	var sorted [maxSymbols]uint16
	b := builder{table: table, width: width, longest: longest, lengths: lengths, meaning: meaning}
	b.fill(sortSymbols(&sorted, &count, lengths))
	return true
}

// sortSymbols sorts the symbols that have a code by length, then by symbol, which
// is the order of their codes.
func sortSymbols(into *[maxSymbols]uint16, count *[maxCode + 1]int, lengths []uint8) []uint16 {
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
	width   int // index width of the main table, in bits
	longest int
	lengths []uint8
	meaning []entry

	used      int // entries used of the table
	sub       int // offset of the current subtable
	subWidth  int
	subPrefix int // reversed prefix of its codes
}

// fill adds the symbols, which are sorted by their codes.
func (b *builder) fill(sorted []uint16) {
	b.used, b.subPrefix = 1<<b.width, -1
	b.table[0] = noCode
	have := 0 // index width so far; widening repeats the entries
	code, length := 0, 0
	for i, symbol := range sorted {
		n := int(b.lengths[symbol])
		have = b.widen(have, min(n, b.width))
		code <<= n - length
		length = n
		// The first bit of a code is the lowest bit of the input.
		reversed := int(bits.Reverse16(uint16(code)) >> (16 - n))
		if n <= b.width {
			b.table[reversed] = b.meaningOf(symbol, n)
		} else {
			b.addSub(reversed, n, sorted[i:])
		}
		code++
	}
	b.widen(have, b.width)
}

// widen widens an index of have bits to want bits by repeating its entries.
func (b *builder) widen(have, want int) int {
	for ; have < want; have++ {
		copy(b.table[1<<have:2<<have], b.table[:1<<have])
	}
	return have
}

// meaningOf returns the entry of a symbol whose code takes n bits in the table or
// subtable.
func (b *builder) meaningOf(symbol uint16, n int) entry {
	return b.meaning[symbol] + entry(n) + entry(n)<<codeShift
}

// addSub adds an entry to the subtable of the first bits of its code. It starts
// the subtable if the code is the first in it.
func (b *builder) addSub(reversed, n int, rest []uint16) {
	if prefix := reversed & (1<<b.width - 1); prefix != b.subPrefix {
		b.subPrefix, b.sub, b.subWidth = prefix, b.used, b.widthOfSub(n, rest)
		b.used += 1 << b.subWidth
		b.table[prefix] = flagSpecial | flagPointer | entry(b.sub)<<valueShift | entry(b.subWidth)<<codeShift | entry(b.width)
	}
	// Set every entry whose index ends with the rest of the code.
	n -= b.width
	e := b.meaningOf(rest[0], n)
	for i := b.sub + reversed>>b.width; i < b.used; i += 1 << n {
		b.table[i] = e
	}
}

// widthOfSub returns the index width of a subtable: the length of its longest
// code without the prefix. As the code is complete, the codes with the prefix,
// from the first on, fill the subtable.
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
