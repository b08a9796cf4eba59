// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestLockCanceled(t *testing.T) {
	dir := t.TempDir()
	first, err := Share(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Share(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
	if _, err := TryLock(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("%v, want %v", err, ErrLocked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lock(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	first.Close()
	only, err := Lock(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	only.Close()
}

// A file that is replaced before its lock is free is not the one that is locked.
func TestShareReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	write := func(p string) {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(path)
	old, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *os.File)
	go func() {
		f, err := Share(t.Context(), path)
		if err != nil {
			t.Error(err)
		}
		got <- f
	}()
	write(path + ".new")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	f := <-got
	defer f.Close()
	old.Close()
	if !sameFile(f, path, os.Stat) {
		t.Error("the lock is on the replaced file")
	}
}

func TestLiving(t *testing.T) {
	dir := t.TempDir()
	living, err := NewDir(filepath.Join(dir, "a"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer living.Discard()
	other, err := NewDir(filepath.Join(dir, "b"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Discard()
	if err := os.Mkdir(filepath.Join(dir, temporary("a")), 0o700); err != nil { // of a dead process
		t.Fatal(err)
	}
	if got, err := Living(dir, "a"); err != nil || !slices.Equal(got, []string{living.Path}) {
		t.Errorf("%q, %v", got, err)
	}
}
