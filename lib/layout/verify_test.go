// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

func TestVerify(t *testing.T) {
	const content = "the content"
	for _, algorithm := range []digest.Algorithm{digest.SHA256, digest.SHA512} {
		d := v1.Descriptor{Digest: algorithm.FromString(content), Size: int64(len(content))}
		for name, c := range map[string]struct{ content, want string }{
			"as described": {content, ""},
			"short":        {content[:5], "truncated"},
			"empty":        {"", "truncated"},
			"long":         {content + "!", "longer"},
			"wrong":        {"the kontent", "digest mismatch"},
		} {
			for how, r := range map[string]io.Reader{
				"at once":             strings.NewReader(c.content),
				"byte by byte":        iotest.OneByteReader(strings.NewReader(c.content)),
				"with its end":        iotest.DataErrReader(strings.NewReader(c.content)),
				"through empty reads": iotest.HalfReader(strings.NewReader(c.content)),
			} {
				got, err := io.ReadAll(Verify(r, d))
				switch {
				case c.want == "" && (err != nil || string(got) != content):
					t.Errorf("%s, %s, %s: %q, %v", algorithm, name, how, got, err)
				case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || status.Of(err) != status.Bad):
					t.Errorf("%s, %s, %s: %v", algorithm, name, how, err)
				}
			}
		}
	}
}

// An error of the reader is returned unchanged.
func TestVerifyPassesErrorsOn(t *testing.T) {
	cut := errors.New("cut")
	r := io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(cut))
	d := v1.Descriptor{Digest: digest.FromString("abc"), Size: 3}
	if _, err := io.ReadAll(Verify(r, d)); !errors.Is(err, cut) {
		t.Error(err)
	}
}

// Reading stops at the size of the descriptor.
func TestVerifyStops(t *testing.T) {
	d := v1.Descriptor{Digest: digest.FromString(""), Size: 1 << 20}
	n, err := io.Copy(io.Discard, Verify(endless{}, d))
	if err == nil || n > 1<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte{1}, len(p))), nil }
