// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bufio"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// resume finds the units that an earlier run wrote, and cuts what is missing into
// segments. An error of reading counts as a missing unit: if the disk fails, so
// will the writing.
func (f *fetch) resume(ctx context.Context) error {
	if err := f.file.Truncate(f.Size); err != nil {
		return err
	}
	have, err := f.written(ctx)
	if err != nil {
		return err
	}
	f.spans, f.several = f.cut(have.missing(f.Size), f.workers())
	f.progress(have.bytes)
	return nil
}

// A coverage lists the runs of units that exist, in order.
type coverage struct {
	runs  []span
	bytes int64
}

func (c *coverage) add(at, end int64) {
	c.bytes += end - at
	if n := len(c.runs); n > 0 && c.runs[n-1].end == at {
		c.runs[n-1].end = end
		return
	}
	c.runs = append(c.runs, span{pos: at, end: end})
}

// missing returns the spans between the runs.
func (c *coverage) missing(size int64) []*span {
	var spans []*span
	at := int64(0)
	for _, run := range append(c.runs, span{pos: size}) {
		if at < run.pos {
			spans = append(spans, &span{pos: at, end: run.pos})
		}
		at = run.end
	}
	return spans
}

// written reads the units that have an entry in the map, and compares their CRCs. It
// hashes those that are contiguous from the start.
func (f *fetch) written(ctx context.Context) (*coverage, error) {
	have := new(coverage)
	entries := bufio.NewReader(io.NewSectionReader(f.checksums, 0, f.roundUp(f.Size)/f.unit*entrySize))
	var content []byte
	for at := int64(0); at < f.Size; at += f.unit {
		var entry [entrySize]byte
		if _, err := io.ReadFull(entries, entry[:]); err != nil {
			break // the map ends here
		}
		want := binary.LittleEndian.Uint32(entry[:])
		if want == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if content == nil {
			content = make([]byte, f.unit)
		}
		unit := content[:min(f.unit, f.Size-at)]
		if _, err := f.file.ReadAt(unit, at); err == nil && entryOf(crc32.Checksum(unit, castagnoli)) == want {
			have.add(at, at+int64(len(unit)))
			f.prefix.add(at, unit)
		}
	}
	return have, nil
}
