// SPDX-License-Identifier: Apache-2.0

package layout

import (
	_ "crypto/sha256" // the algorithms of image-spec, descriptor.md
	_ "crypto/sha512"
	"errors"
	"io"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// A verifier is a reader that checks the size and digest of what it reads.
type verifier struct {
	r     io.Reader
	want  v1.Descriptor
	check digest.Verifier
	left  int64
}

// Verify returns a reader of r that returns io.EOF only if the content has the
// size and digest of d, and an error otherwise.
func Verify(r io.Reader, d v1.Descriptor) io.Reader {
	return &verifier{r: r, want: d, check: d.Digest.Verifier(), left: d.Size}
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.check.Write(p[:n])
	v.left -= int64(n)
	switch {
	case v.left < 0:
		return 0, v.errorf("longer than %d bytes", v.want.Size)
	case err == io.EOF && v.left > 0:
		return 0, v.errorf("truncated, %d of %d bytes missing", v.left, v.want.Size)
	case err == io.EOF && !v.check.Verified():
		return 0, v.errorf("digest mismatch")
	}
	return n, err
}

// ErrDamaged is what an error of Verify is for content of another size or digest.
var ErrDamaged = errors.New("damaged blob")

// A mismatch is an ErrDamaged with a text of its own.
type mismatch struct{ error }

func (m mismatch) Unwrap() error { return m.error }

func (m mismatch) Is(target error) bool { return target == ErrDamaged }

func (v *verifier) errorf(format string, args ...any) error {
	return mismatch{status.Errorf(status.Bad, string(v.want.Digest)+": "+format, args...)}
}
