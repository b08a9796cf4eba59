// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/input"
)

func newWriter(t *testing.T) *Writer {
	t.Helper()
	w, err := NewWriter(t.Context(), filepath.Join(t.TempDir(), "oci"), silent(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// silent fails the test on any warning.
func silent(t *testing.T) func(string) {
	return func(text string) { t.Errorf("warning: %s", text) }
}

func describe(content string) v1.Descriptor {
	return v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromString(content), Size: int64(len(content))}
}

// tags returns index.json as NAME=CONTENT, sorted by name.
func tags(t *testing.T, w *Writer, contents ...string) string {
	t.Helper()
	index, err := w.index()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, d := range index.Manifests {
		for _, c := range contents {
			if d.Digest == digest.FromString(c) {
				all = append(all, refName(d)+"="+c)
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestTag(t *testing.T) {
	w := newWriter(t)
	for _, step := range []struct{ name, content, want string }{
		{"v1", "a", "v1=a"},
		{"v1", "a", "v1=a"},         // the same again
		{"v2", "a", "v1=a v2=a"},    // two names of one digest are two entries
		{"v2", "b", "v1=a v2=b"},    // a moved to b: a has a name still
		{"v1", "b", "=a v1=b v2=b"}, // the old one stays, unnamed
		{"", "c", "=a =c v1=b v2=b"},
		{"", "c", "=a =c v1=b v2=b"},
		{"", "b", "=a =c v1=b v2=b"}, // has an entry already
		{"v3", "a", "=c v1=b v2=b v3=a"},
	} {
		if err := w.Tag(t.Context(), step.name, describe(step.content), ""); err != nil {
			t.Fatal(err)
		}
		if got := tags(t, w, "a", "b", "c"); got != step.want {
			t.Errorf("after %s=%s: %s, want %s", step.name, step.content, got, step.want)
		}
	}
}

// Concurrent writers lose no names.
func TestTagTogether(t *testing.T) {
	tagTogether(t, newWriter(t), silent(t))
}

// tagTogether has eight more writers give one manifest a name each, and fails
// the test if one is lost.
func tagTogether(t *testing.T, w *Writer, warn func(string)) {
	t.Helper()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			other, err := NewWriter(t.Context(), w.Dir(), warn)
			if err != nil {
				t.Error(err)
				return
			}
			defer other.Close()
			if err := other.Tag(t.Context(), fmt.Sprint("v", i), describe("x"), ""); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := tags(t, w, "x"); strings.Count(got, "=x") != 8 {
		t.Error(got)
	}
}

func TestPutBlob(t *testing.T) {
	w := newWriter(t)
	d := describe("content")
	for name, content := range map[string]string{"short": "con", "long": "contents", "wrong": "kontent"} {
		if err := w.PutBlob(d, strings.NewReader(content)); err == nil {
			t.Errorf("%s: no error", name)
		}
		if w.Has(t.Context(), d) {
			t.Errorf("%s: the blob is there", name)
		}
	}
	if err := w.PutBlob(d, strings.NewReader("content")); err != nil || !w.Has(t.Context(), d) {
		t.Errorf("%v, has it: %v", err, w.Has(t.Context(), d))
	}
	r, err := w.Blob(d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if raw, err := io.ReadAll(r); err != nil || string(raw) != "content" {
		t.Errorf("%q, %v", raw, err)
	}
	long := v1.Descriptor{Digest: digest.SHA512.FromString("content"), Size: 7}
	if err := w.PutBlob(long, strings.NewReader("content")); err != nil || !w.Has(t.Context(), long) {
		t.Errorf("sha512: %v", err)
	}
}

// A blob that was damaged later is noticed, and can be written again.
func TestHasDamaged(t *testing.T) {
	w := newWriter(t)
	d := describe("content")
	for name, content := range map[string]string{"wrong": "kontent", "short": "c", "empty": "", "long": "contents"} {
		path := filepath.Join(w.Dir(), "blobs/sha256", d.Digest.Encoded())
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		if w.Has(t.Context(), d) {
			t.Errorf("%s: has it", name)
		}
	}
	if err := w.PutBlob(d, strings.NewReader("content")); err != nil || !w.Has(t.Context(), d) {
		t.Errorf("put again: %v", err)
	}
}

// A large blob is read only if another user may have written it.
func TestHasLarge(t *testing.T) {
	w := newWriter(t)
	d := describe(strings.Repeat("x", input.MaxDocument+1))
	path := filepath.Join(w.Dir(), "blobs/sha256", d.Digest.Encoded())
	if err := os.WriteFile(path, make([]byte, d.Size), 0o666); err != nil {
		t.Fatal(err)
	}
	if !w.Has(t.Context(), d) {
		t.Error("read, though it is the user's own")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	if err := os.Chown(path, 1234, -1); err != nil {
		t.Fatal(err)
	}
	if w.Has(t.Context(), d) {
		t.Error("has what another user wrote")
	}
}

// A closed writer leaves only blobs, index.json and oci-layout.
func TestWriterLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "oci")
	w, err := NewWriter(t.Context(), dir, silent(t))
	if err != nil {
		t.Fatal(err)
	}
	w.PutBlob(describe("content"), bytes.NewReader(nil))
	w.Close()
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "blobs index.json oci-layout" {
		t.Error(got)
	}
	if blobs, err := os.ReadDir(filepath.Join(dir, "blobs/sha256")); err != nil || len(blobs) > 0 {
		t.Errorf("%v, %v", blobs, err)
	}
}

func TestDescribe(t *testing.T) {
	w := newWriter(t)
	for text, want := range map[string]string{
		`{"mediaType":"application/vnd.docker.distribution.manifest.v2+json"}`: dockerManifest,
		`{"manifests":[]}`: v1.MediaTypeImageIndex,
		`{"layers":[]}`:    v1.MediaTypeImageManifest,
	} {
		d := describe(text)
		if err := w.PutBlob(d, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		got, err := w.Describe(d.Digest)
		if err != nil || got.MediaType != want || got.Size != d.Size {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	if _, err := w.Describe("sha256:../../x"); err == nil {
		t.Error("a digest that is no digest")
	}
}
