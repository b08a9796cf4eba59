// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"io"
	"runtime"
	"time"

	"github.com/klauspost/pgzip"
)

// The archive is cut into blocks that are compressed side by side, each with the
// end of the one before as its dictionary. The bytes depend on these two, and on
// the version of the compressor.
const (
	gzipBlock = 1 << 20 // bytes
	gzipLevel = 6       // gzip's default: a third of gzip's CPU time, and 4% more bytes
)

// WriteTarGzip writes the archive that WriteTar writes, compressed as one gzip
// member (RFC 1952), on all processors. The same source makes the same bytes,
// however many processors there are. Each of them takes some 4 MiB of memory.
//
// After an error the member has no trailer, so every reader finds it truncated.
func (s *Source) WriteTarGzip(ctx context.Context, w io.Writer, warn func(string)) error {
	z, err := newGzip(w)
	if err != nil {
		return err
	}
	if err := s.WriteTar(ctx, z, warn); err != nil {
		z.Reset(io.Discard) // waits until nobody writes to w; Close would write a trailer
		return err
	}
	return z.Close()
}

// newGzip is a compressor whose header names no file and no time.
func newGzip(w io.Writer) (*pgzip.Writer, error) {
	z, err := pgzip.NewWriterLevel(w, gzipLevel)
	if err != nil {
		return nil, err
	}
	z.ModTime = time.Unix(0, 0) // MTIME 0: no time stamp. The zero Time is before 1970.
	return z, z.SetConcurrency(gzipBlock, runtime.GOMAXPROCS(0))
}
