// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"banger/lib/bundle"
	"banger/lib/status"
)

// parent publishes an image of 16 MiB with a kernel.
func parent(t *testing.T, s *Store, name string) {
	t.Helper()
	if _, err := s.Kernel("k"); err != nil {
		if _, err := add(t, s, "k", fstest.MapFS{"vmlinux": vmlinux("6.1"), "config": {Data: []byte(built)}}); err != nil {
			t.Fatal(err)
		}
	}
	kernel, err := s.OpenKernel("k")
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	p := Publication{Rootfs: rootfs(t, t.TempDir(), ""), Name: name, Kernel: kernel, Now: now, Replace: true, Init: program("init")}
	if _, err := s.Publish(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// A size that the filesystem would not grow to is refused at once.
func TestDraftSize(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "state"))
	parent(t, s, "a")
	const has = 16 << 20
	for size, want := range map[int64]string{ // the hint
		has + 4095:   "the next that works is --size 17M",
		1 << 40:      fmt.Sprintf("the most is --size %d", 1024*has),
		1024*has + 1: fmt.Sprintf("the most is --size %d", 1024*has),
		1024 * has:   "",
		has + 4096:   "",
		has:          "",
	} {
		d, err := s.Draft("b", "a", size, false, bundle.Script{})
		if err == nil {
			d.Discard()
		}
		if code := map[bool]status.Code{true: status.OK, false: status.Usage}[want == ""]; status.Of(err) != code || status.HintOf(err) != want {
			t.Errorf("%d: %v, hint %q, not %q", size, err, status.HintOf(err), want)
		}
	}
}

// A parent that was replaced before it was copied is not that of the record.
func TestDraftReplaced(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "state"))
	for what, change := range map[string]func(){
		"":         func() {},
		"replaced": func() { parent(t, s, "a") },
		"removed":  func() { os.Rename(filepath.Join(s.images(), "a"), filepath.Join(s.images(), "b")) },
	} {
		t.Run(what, func(t *testing.T) {
			parent(t, s, "a")
			d, err := s.Draft("c", "a", 0, false, bundle.Script{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Discard()
			change()
			err = d.Copy(t.Context())
			if code := map[bool]status.Code{true: status.OK, false: status.Temporary}[what == ""]; status.Of(err) != code {
				t.Errorf("%v, want status %d", err, code)
			}
		})
	}
}
