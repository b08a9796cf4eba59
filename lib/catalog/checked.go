// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"encoding/hex"
	"hash"
	"io"

	"banger/lib/status"
)

// checked is a reader that counts and sums what it reads, and reads no more
// than it shall.
type checked struct {
	r        io.Reader
	want     int64 // bytes
	n        int64
	sum      hash.Hash
	err      error // of the connection, which comes before all others
	progress func(total, done int64)
}

func (c *checked) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(b)
	c.n += int64(n)
	c.sum.Write(b[:n])
	c.progress(0, int64(n))
	switch {
	case c.n > c.want:
		c.err = status.Errorf(status.Bad, "more than the %d bytes that the catalog says", c.want)
	case err == io.EOF && c.n < c.want:
		c.err = status.Errorf(status.Bad, "%d bytes, not the %d that the catalog says", c.n, c.want)
	default:
		c.err = err
	}
	return n, c.err
}

// verify reads to the end and compares with what should have come.
func (c *checked) verify(ctx context.Context, digest string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		return err
	}
	if hex.EncodeToString(c.sum.Sum(nil)) != digest {
		return status.Errorf(status.Bad, "its SHA-256 is not the one that the catalog says")
	}
	return nil
}
