// SPDX-License-Identifier: Apache-2.0

package store

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"banger/lib/bundle"
)

// Without a kernel of the store for the image, the hint adds one under a free
// name, with Debian's package only for the host's architecture.
func TestKernelCommand(t *testing.T) {
	dir := t.TempDir()
	image := func(platform string) *Image {
		return &Image{Name: "x", Dir: filepath.Join(dir, "images/x"), Record: &bundle.Record{Platform: platform}}
	}
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	check := func(platform, want string) {
		t.Helper()
		if got := image(platform).KernelCommand(); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", platform, got, want)
		}
	}
	const again = " && banger register -f --name x --kernel-ref "
	check("", "banger kernel debian debian"+again+"debian ")
	check("linux/"+runtime.GOARCH+"/v8", "banger kernel debian debian"+again+"debian ")
	check("linux/"+other, "banger kernel add "+other+" DIR"+again+other+" ")
	if err := os.MkdirAll(filepath.Join(dir, "kernels/debian"), 0o777); err != nil {
		t.Fatal(err)
	}
	check("", "banger kernel debian debian-2"+again+"debian-2 ")
}
