// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"archive/tar"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/status"
)

// A tree may be deeper than PATH_MAX, up to a limit.
func TestDeepTree(t *testing.T) {
	for depth, want := range map[int]status.Code{400: status.OK, 5000: status.Bad} {
		layer := archive(t, tar.Header{Typeflag: tar.TypeDir, Name: strings.Repeat("d/", depth), Mode: 0o755})
		f := newFixture(t, layer)
		bundle, err := f.create(t, f.image(t))
		if status.Of(err) != want {
			t.Errorf("%d directories deep: %.100v", depth, err)
		}
		if err != nil {
			nothingIn(t, filepath.Dir(bundle))
		}
	}
}
