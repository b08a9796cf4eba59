// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A blob that is replaced while SetAside moves the damaged one stays in its place.
func TestSetAsideRace(t *testing.T) {
	w := newWriter(t)
	d := describe("content")
	path, _ := w.blobPath(d.Digest)
	aside := filepath.Join(w.dir, damagedDir, "sha256-"+d.Digest.Encoded())
	for range 500 {
		writeFile(t, path, []byte("kontent"))
		writeFile(t, path+".new", []byte("content"))
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		group.Go(func() { os.Rename(path+".new", path) })
		moved, err := w.SetAside(d.Digest, f)
		group.Wait()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "content" {
			t.Fatalf("in its place: %q, %v", got, err)
		}
		if got, _ := os.ReadFile(aside); moved && string(got) != "kontent" {
			t.Fatalf("moved away: %q", got)
		}
		os.Remove(aside)
	}
}

// Blobs lists what is named after a digest.
func TestBlobs(t *testing.T) {
	w := newWriter(t)
	for _, d := range []string{"a", "b"} {
		if err := w.PutBlob(describe(d), strings.NewReader(d)); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(w.dir, "blobs/sha256/x"), nil)
	writeFile(t, filepath.Join(w.dir, "blobs/md5/00"), nil)
	writeFile(t, filepath.Join(w.dir, "blobs/file"), nil)
	if err := os.Mkdir(filepath.Join(w.dir, "blobs/sha256", strings.Repeat("0", 64)), 0o777); err != nil {
		t.Fatal(err)
	}
	blobs, others, err := w.Blobs()
	if err != nil || len(blobs) != 2 || blobs[describe("a").Digest].Size != 1 || len(others) != 4 {
		t.Errorf("%v, %v, %v", blobs, others, err)
	}
}
