// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"io"
	"runtime"
	"time"

	"github.com/klauspost/pgzip"
)

// Blocks of the archive are compressed in parallel, each with the end of the
// previous block as dictionary. The output depends on both constants and on the
// version of the compressor.
const (
	gzipBlock = 1 << 20 // bytes
	gzipLevel = 6       // default of gzip; takes a third of its CPU time for 4% more bytes
)

// WriteTarGzip writes the archive of WriteTar as one gzip member (RFC 1952),
// compressed on all processors. Each takes some 4 MiB of memory. The output does
// not depend on the number of processors.
//
// After an error the member has no trailer, so readers report it as truncated.
func (s *Source) WriteTarGzip(ctx context.Context, w io.Writer, warn func(string)) error {
	z, err := newGzip(w)
	if err != nil {
		return err
	}
	if err := s.WriteTar(ctx, z, warn); err != nil {
		z.Reset(io.Discard) // waits for pending writes to w; Close would write a trailer
		return err
	}
	return z.Close()
}

// newGzip returns a compressor whose header has no file name and no time.
func newGzip(w io.Writer) (*pgzip.Writer, error) {
	z, err := pgzip.NewWriterLevel(w, gzipLevel)
	if err != nil {
		return nil, err
	}
	z.ModTime = time.Unix(0, 0) // MTIME 0 means no time stamp; the zero Time is before 1970
	return z, z.SetConcurrency(gzipBlock, runtime.GOMAXPROCS(0))
}
