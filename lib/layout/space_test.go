// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// Blobs whose descriptors are larger than the free space are refused; blobs that
// exist do not count.
func TestCheckSpace(t *testing.T) {
	w := newWriter(t)
	sized := func(content string, size int64) v1.Descriptor {
		return v1.Descriptor{Digest: digest.FromString(content), Size: size}
	}
	there := sized("there", 1<<40)
	path := filepath.Join(w.Dir(), "blobs/sha256", there.Digest.Encoded())
	writeFile(t, path, nil)
	if err := os.Truncate(path, there.Size); err != nil { // it takes no space
		t.Fatal(err)
	}
	const half = math.MaxInt64 / 2
	for name, c := range map[string]struct {
		blobs []v1.Descriptor
		want  status.Code
	}{
		"none":          {nil, status.OK},
		"small":         {[]v1.Descriptor{sized("a", 1), sized("b", 0)}, status.OK},
		"one":           {[]v1.Descriptor{sized("a", math.MaxInt64)}, status.Create},
		"many":          {[]v1.Descriptor{sized("a", half), sized("b", half), sized("c", half), sized("d", half), sized("e", half)}, status.Create},
		"there":         {[]v1.Descriptor{there}, status.OK},
		"there, larger": {[]v1.Descriptor{{Digest: there.Digest, Size: math.MaxInt64}}, status.Create},
	} {
		err := w.CheckSpace(c.blobs)
		if status.Of(err) != c.want {
			t.Errorf("%s: status %d, %v; want %d", name, status.Of(err), err, c.want)
		}
	}
}
