// SPDX-License-Identifier: Apache-2.0

package inflate

import "sync"

// codes holds the two Huffman codes of a block.
type codes struct {
	literals  [literalSize]entry
	distances [distanceSize]entry
}

// fixed returns the fixed codes (RFC 1951, 3.2.6). They include literal/length
// codes 286 and 287 and distance codes 30 and 31, which are never valid.
var fixed = sync.OnceValue(func() *codes {
	var lengths [288 + 32]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		case i < 288:
			lengths[i] = 8
		default:
			lengths[i] = 5
		}
	}
	c := new(codes)
	build(c.literals[:], literalBits, lengths[:288], literalMeaning[:])
	build(c.distances[:], distanceBits, lengths[288:], distanceMeaning[:])
	return c
})

// lengthsOrder is the order in which the lengths of the code length code are
// stored.
var lengthsOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamicCodes reads the codes of a block (RFC 1951, 3.2.7).
func (d *decoder) dynamicCodes() error {
	counts, err := d.in.bits(14)
	if err != nil {
		return err
	}
	literals, distances, ordered := int(counts&31)+257, int(counts>>5&31)+1, int(counts>>10)+4
	if literals > maxLiterals || distances > maxDistances {
		return d.corrupt("more codes than symbols")
	}
	var first [19]uint8
	for _, symbol := range lengthsOrder[:ordered] {
		n, err := d.in.bits(3)
		if err != nil {
			return err
		}
		first[symbol] = uint8(n)
	}
	var table [lengthsSize]entry
	if !build(table[:], lengthsBits, first[:], lengthsMeaning[:]) {
		return d.corrupt("invalid code length code")
	}
	var lengths [maxSymbols]uint8
	if err := d.codeLengths(&table, lengths[:literals+distances]); err != nil {
		return err
	}
	d.coded = &d.dynamic
	if !build(d.dynamic.literals[:], literalBits, lengths[:literals], literalMeaning[:]) {
		return d.corrupt("invalid literal/length code")
	}
	if !build(d.dynamic.distances[:], distanceBits, lengths[literals:][:distances], distanceMeaning[:]) {
		return d.corrupt("invalid distance code")
	}
	return nil
}

// codeLengths reads the code lengths of both codes, which form one sequence.
func (d *decoder) codeLengths(table *[lengthsSize]entry, lengths []uint8) error {
	for i := 0; i < len(lengths); {
		symbol, err := d.lengthSymbol(table)
		if err != nil {
			return err
		}
		if symbol < 16 {
			lengths[i] = uint8(symbol)
			i++
			continue
		}
		var value uint8
		base, extra := 3, uint64(2)
		switch symbol {
		case 16:
			if i == 0 {
				return d.corrupt("repeat without a previous code length")
			}
			value = lengths[i-1]
		case 17:
			extra = 3
		case 18:
			base, extra = 11, 7
		}
		more, err := d.in.bits(extra)
		if err != nil {
			return err
		}
		times := base + int(more)
		if times > len(lengths)-i {
			return d.corrupt("more code lengths than codes")
		}
		for range times {
			lengths[i] = value
			i++
		}
	}
	return nil
}

// lengthSymbol reads a symbol of the code length code.
func (d *decoder) lengthSymbol(table *[lengthsSize]entry) (int, error) {
	for {
		d.in.fill()
		e := table[d.in.word&(lengthsSize-1)]
		switch {
		case e.takes() > d.in.count || e&flagSpecial != 0 && d.in.count < lengthsBits:
			if err := d.in.more(); err != nil {
				return 0, err
			}
		case e&flagSpecial != 0:
			return 0, d.corrupt("invalid code length symbol")
		default:
			d.in.take(e.takes())
			return e.value(), nil
		}
	}
}
