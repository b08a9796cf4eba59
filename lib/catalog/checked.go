// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"encoding/hex"
	"hash"
	"io"

	"banger/lib/status"
)

// A checked reader fails unless it reads exactly want bytes, and hashes them.
type checked struct {
	r        io.Reader
	want     int64 // bytes
	n        int64
	sum      hash.Hash
	err      error // the first error, which takes precedence
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
		c.err = status.Errorf(status.Bad, "longer than the %d bytes in the catalog", c.want)
	case err == io.EOF && c.n < c.want:
		c.err = status.Errorf(status.Bad, "%d bytes, not the %d in the catalog", c.n, c.want)
	default:
		c.err = err
	}
	return n, c.err
}

// verify reads to the end and compares the SHA-256.
func (c *checked) verify(ctx context.Context, digest string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, c); err != nil {
		return err
	}
	if hex.EncodeToString(c.sum.Sum(nil)) != digest {
		return status.Errorf(status.Bad, "SHA-256 differs from the catalog's")
	}
	return nil
}
