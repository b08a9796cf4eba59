// SPDX-License-Identifier: Apache-2.0

package inflate

// symbols decodes the symbols of a block. It uses the fast loop while there is
// enough input and room. It reports whether more input is needed.
func (d *decoder) symbols() (wait bool, err error) {
	for d.out <= lastStart {
		if d.in.pos+fastInput <= d.in.end && d.out <= lastFast {
			if ended, err := d.fast(); ended || err != nil {
				return false, err
			}
			continue
		}
		switch ok, err := d.symbol(); {
		case err != nil || d.state != inCoded:
			return false, err
		case !ok:
			return true, nil
		}
	}
	return false, nil
}

// symbol decodes one symbol, a length with its distance. It returns false and
// takes no input if there is not enough of it.
func (d *decoder) symbol() (ok bool, err error) {
	d.in.fill()
	word, count := d.in.word, d.in.count
	e := d.coded.literals[word&(1<<literalBits-1)]
	if e&flagPointer != 0 && count >= literalBits {
		word, count = word>>literalBits, count-literalBits
		e = d.coded.literals[subIndex(e, word)&(literalSize-1)]
	}
	switch {
	case e.takes() > count || e&flagPointer != 0 || e == noCode && count < literalBits:
		return false, nil
	case e&flagLiteral != 0:
		d.buf.b[d.out] = byte(e >> valueShift)
		d.out++
		d.in.word, d.in.count = word>>e.takes(), count-e.takes()
		return true, nil
	case e&flagEnd != 0:
		d.in.word, d.in.count = word>>e.takes(), count-e.takes()
		d.endBlock()
		return true, nil
	case e&flagSpecial != 0:
		return false, d.corrupt("invalid literal/length symbol")
	}
	length := e.value() + e.extra(word)
	return d.matchAfter(word>>e.takes(), count-e.takes(), length)
}

// subIndex returns the index of an entry in the subtable that e points to, for
// the next bits in word.
func subIndex(e entry, word uint64) uint64 {
	return uint64(e.value()) + word&(1<<(e>>codeShift&codeMask)-1)
}

// matchAfter decodes the distance that follows a length, and copies the match.
func (d *decoder) matchAfter(word, count uint64, length int) (ok bool, err error) {
	e := d.coded.distances[word&(1<<distanceBits-1)]
	if e&flagPointer != 0 && count >= distanceBits {
		word, count = word>>distanceBits, count-distanceBits
		e = d.coded.distances[subIndex(e, word)&(distanceSize-1)]
	}
	switch {
	case e.takes() > count || e&flagPointer != 0 || e == noCode && count < distanceBits:
		return false, nil
	case e&flagSpecial != 0:
		return false, d.corrupt("invalid distance symbol")
	}
	distance := e.value() + e.extra(word)
	if distance > d.out-d.floor {
		return false, d.corrupt("distance too far back")
	}
	// Copy byte by byte: there may be no room for overrun.
	for range length {
		d.buf.b[d.out] = d.buf.b[d.out-distance]
		d.out++
	}
	d.in.word, d.in.count = word>>e.takes(), count-e.takes()
	return true, nil
}
