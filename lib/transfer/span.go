// SPDX-License-Identifier: Apache-2.0

package transfer

import "slices"

// A geometry has the sizes by which a blob is divided, in bytes.
type geometry struct {
	unit    int64 // has a CRC in the map
	segment int64 // the least size of a segment, at least two units
	single  int64 // a smaller blob is one request
	flush   int64 // is written between two flushes
}

var standard = geometry{unit: 1 << 20, segment: 16 << 20, single: 32 << 20, flush: 32 << 20}

// maxWorkers is how many connections fetch one blob.
const maxWorkers = maxHostConns

// A span is a run of missing bytes. It ends where a unit or the blob ends.
type span struct {
	pos, end int64  // pos moves towards end
	crc      uint32 // of the unit's bytes before pos
	owned    bool   // by a worker, which alone moves pos
	slot     *slot  // for the worker's first request, or nil
}

func (s *span) rest() int64 { return s.end - s.pos }

// takeSlot returns the span's slot, which is then the caller's, or nil.
func (s *span) takeSlot() *slot {
	slot := s.slot
	s.slot = nil
	return slot
}

// cut returns the missing spans, which begin with units, cut into segments for at most
// so many workers, and whether several workers may fetch them.
func (g geometry) cut(spans []*span, most int64) (segments []*span, several bool) {
	var missing int64
	for _, s := range spans {
		missing += s.rest()
	}
	if missing < g.single {
		return spans, false
	}
	share := missing / min(most, missing/g.segment)
	for _, s := range spans {
		pieces := max(1, (s.rest()+share/2)/share)
		step := g.roundUp((s.rest() + pieces - 1) / pieces)
		for at := s.pos; at < s.end; at += step {
			segments = append(segments, &span{pos: at, end: min(at+step, s.end)})
		}
	}
	return segments, true
}

func (g geometry) roundUp(n int64) int64 { return (n + g.unit - 1) / g.unit * g.unit }

// take returns a span that no worker has, or half of the largest one that a worker
// has and of which at least so many bytes are missing, or nil.
func (f *fetch) take(least int64) *span {
	f.mu.Lock()
	defer f.mu.Unlock()
	largest := -1
	for i, s := range f.spans {
		if s.rest() > 0 && !s.owned {
			s.owned = true
			return s
		}
		if s.rest() >= least && (largest < 0 || s.rest() > f.spans[largest].rest()) {
			largest = i
		}
	}
	if largest < 0 {
		return nil
	}
	return f.halve(largest)
}

// allOwned reports whether each span with missing bytes has a worker.
func (f *fetch) allOwned() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !slices.ContainsFunc(f.spans, func(s *span) bool { return s.rest() > 0 && !s.owned })
}

// halve splits a span where a unit begins, and returns its second half. The first
// half has a unit or more, so that it includes what its worker now writes.
func (f *fetch) halve(i int) *span {
	s := f.spans[i]
	half := &span{pos: f.roundUp(s.pos + s.rest()/2), end: s.end, owned: true}
	s.end = half.pos
	f.spans = append(f.spans[:i+1], append([]*span{half}, f.spans[i+1:]...)...)
	return half
}

// bounds returns the missing bytes of a span.
func (f *fetch) bounds(s *span) (from, to int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.pos, s.end
}

// ready returns the number of bytes before the first missing one.
func (f *fetch) ready() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.spans {
		if s.rest() > 0 {
			return s.pos
		}
	}
	return f.Size
}
