// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/status"
)

// A state directory that cannot be made is an output that cannot be made, and the
// hint says how to choose another.
func TestUnmakeableState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	image := rootfs(t, t.TempDir(), "")
	for _, dir := range []string{"/proc/banger", filepath.Join(file, "banger")} {
		s := Open(dir)
		_, publish := s.Publish(context.Background(), Publication{Rootfs: image, Name: "x", Now: now})
		_, addKernel := add(t, s, "k", modular(t, "6.1.0-x"))
		_, scratch := s.Scratch("k", false)
		for what, err := range map[string]error{"images": publish, "kernels": addKernel, "kernels, for scratch": scratch} {
			part, _, _ := strings.Cut(what, ",")
			if status.Of(err) != status.Create || !strings.Contains(err.Error(), filepath.Join(dir, part)) ||
				!strings.Contains(status.HintOf(err), "XDG_STATE_HOME") {
				t.Errorf("%s in %s: %v, code %d, hint %q", what, dir, err, status.Of(err), status.HintOf(err))
			}
		}
	}
}
