// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/stage"
)

// leases returns the content of the given descriptors that are leased.
func leases(t *testing.T, l *Layout, contents ...string) string {
	t.Helper()
	leased, err := l.Leases()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range contents {
		if leased[describe(c).Digest] {
			all = append(all, c)
		}
	}
	return strings.Join(all, " ")
}

// A lease lasts until its writer is closed.
func TestLease(t *testing.T) {
	first := newWriter(t)
	second, err := NewWriter(t.Context(), first.Dir(), silent(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		act  func() error
		want string
	}{
		{func() error { return first.Lease(t.Context(), describe("a"), describe("b")) }, "a b"},
		{func() error { return second.Lease(t.Context(), describe("b"), describe("c")) }, "a b c"},
		{func() error { return second.Lease(t.Context(), describe("b"), describe("d")) }, "a b c d"},
		{func() error { first.Close(); return nil }, "b c d"},
		{func() error { second.Close(); return nil }, ""},
	} {
		if err := step.act(); err != nil {
			t.Fatal(err)
		}
		if got := leases(t, first.Layout, "a", "b", "c", "d"); got != step.want {
			t.Errorf("leased %q, want %q", got, step.want)
		}
	}
}

// The lease of a killed writer counts no more, and the next writer removes it.
func TestLeaseOfKilled(t *testing.T) {
	w := newWriter(t)
	dead := filepath.Join(w.Dir(), ".fetch.staging-ABCDEFGHIJKLMNOP")
	writeFile(t, filepath.Join(dead, leaseFile), []byte(describe("a").Digest))
	if got := leases(t, w.Layout, "a"); got != "" {
		t.Errorf("leased %s", got)
	}
	if _, err := NewWriter(t.Context(), w.Dir(), silent(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !isMissing(err) {
		t.Errorf("the next writer left it: %v", err)
	}
}

// A lease waits while another process has the index, until the context ends.
func TestLeaseWaits(t *testing.T) {
	w := newWriter(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := w.Exclusive(t.Context(), func(*v1.Index) error {
		done := make(chan error)
		go func() { done <- w.Lease(ctx, describe("a")) }()
		select {
		case err := <-done:
			return errors.Join(errors.New("did not wait"), err)
		case <-time.After(30 * time.Millisecond):
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := leases(t, w.Layout, "a"); got != "" {
		t.Errorf("leased %s", got)
	}
}

// An image is locked from Image to Close: another process cannot lock its manifest
// for itself.
func TestImageIsHeld(t *testing.T) {
	dir := t.TempDir()
	d := imageFor(t, dir, "x", "linux/amd64")
	l := newLayout(t, dir, d)
	image, err := l.Image(t.Context(), Ref{Dir: dir}, DefaultPlatform)
	if err != nil {
		t.Fatal(err)
	}
	path, _ := l.blobPath(d.Digest)
	if _, err := stage.TryLock(path); !errors.Is(err, stage.ErrLocked) {
		t.Errorf("open: %v", err)
	}
	other, err := l.Image(t.Context(), Ref{Dir: dir}, DefaultPlatform)
	if err != nil {
		t.Fatal(err)
	}
	image.Close()
	other.Close()
	f, err := stage.TryLock(path)
	if err != nil {
		t.Fatalf("closed: %v", err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Millisecond, errors.New("waited"))
	defer cancel()
	if _, err := l.Image(ctx, Ref{Dir: dir}, DefaultPlatform); err == nil || err.Error() != "waited" {
		t.Errorf("locked by another process: %v", err)
	}
}

// A blob that is removed while Hold waits for it is not found afterwards.
func TestHoldRemoved(t *testing.T) {
	dir := t.TempDir()
	d := imageFor(t, dir, "x", "linux/amd64")
	l := newLayout(t, dir, d)
	path, _ := l.blobPath(d.Digest)
	f, err := stage.TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := l.Image(t.Context(), Ref{Dir: dir}, DefaultPlatform)
		done <- err
	}()
	if err := os.Rename(path, filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("%v", err)
	}
}

// Touch sets the time of a manifest, and does nothing without one.
func TestTouch(t *testing.T) {
	w := newWriter(t)
	d := describe("content")
	if err := w.PutBlob(d, strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	path, _ := w.blobPath(d.Digest)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	w.Touch(d.Digest)
	w.Touch(describe("none").Digest)
	if info, err := os.Stat(path); err != nil || time.Since(info.ModTime()) > time.Minute {
		t.Errorf("%v %v", info.ModTime(), err)
	}
}

// In a complete layout a writer makes nothing until it is needed, so that a user who
// may only read the layout can use it.
func TestWriterIsLazy(t *testing.T) {
	w := newWriter(t)
	d := describe("x")
	if err := w.Tag(t.Context(), "v1", d, "sha256:x"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	before, _ := os.ReadDir(w.Dir())
	again, err := NewWriter(t.Context(), w.Dir(), silent(t))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Tag(t.Context(), "v1", d, "sha256:x"); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadDir(w.Dir()); len(after) != len(before) || again.stage != nil {
		t.Errorf("%v, before %v", after, before)
	}
	if err := again.Tag(t.Context(), "v1", d, "sha256:y"); err != nil { // the tag leads to another index
		t.Fatal(err)
	}
	entries, err := w.Entries()
	if err != nil || len(entries) != 1 || Through(entries[0]) != "sha256:y" || Name(entries[0]) != "v1" {
		t.Errorf("%v, %v", entries, err)
	}
}

// What is made in a layout that a group shares, the group may write.
func TestShared(t *testing.T) {
	defer unix.Umask(unix.Umask(0o077))
	dir := filepath.Join(t.TempDir(), "cache")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o775|os.ModeSetgid)); err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(t.Context(), filepath.Join(dir, "banger/oci"), silent(t))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	d := describe("content")
	p, err := w.NewPending("archive")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Add(t.Context(), d.Digest, strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Lease(t.Context(), d), p.Keep(d), w.PutBlob(describe("x"), strings.NewReader("x")), w.Tag(t.Context(), "v1", d, "")); err != nil {
		t.Fatal(err)
	}
	err = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if strings.HasPrefix(filepath.Dir(path), w.stage.Path) {
			return nil // of the writer alone
		}
		want := os.FileMode(0o060)
		if err == nil && info.IsDir() {
			want = os.ModeSetgid | 0o070
		}
		if err == nil && info.Mode()&want != want {
			t.Errorf("%s: mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(w.stage.Path, leaseFile)); err != nil || info.Mode()&0o060 != 0o060 {
		t.Errorf("lease: %v, %v", info, err)
	}
}
