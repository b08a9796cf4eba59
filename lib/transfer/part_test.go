// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"banger/lib/stage"
	"banger/lib/status"
)

// Sixteen that want one blob fetch it once.
func TestLockMany(t *testing.T) {
	r := newRun(t)
	done := filepath.Join(filepath.Dir(r.path), "done")
	h := &fake{content: content}
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			p, err := Lock(t.Context(), r.path)
			if err != nil {
				t.Error(err)
				return
			}
			p.geometry = small
			if _, err := os.Stat(done); err == nil {
				err = p.Discard()
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err := p.Fetch(t.Context(), r.blob(h)); err != nil {
				t.Error(err)
			}
			if err := p.Rename(done); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	entries, err := os.ReadDir(filepath.Dir(done))
	if err != nil || len(entries) != 1 || h.sent.Load() != blobSize {
		t.Errorf("left %v, %v, %d bytes sent", entries, err, h.sent.Load())
	}
}

// A complete part file without a map, as Rename leaves it when it is killed, becomes
// the blob without a request. One with other bytes is fetched.
func TestRenameKilled(t *testing.T) {
	r := newRun(t)
	done := filepath.Join(filepath.Dir(r.path), "done")
	for _, c := range []struct {
		left     []byte
		requests bool
	}{{content, false}, {make([]byte, blobSize), true}, {content[1:], true}} {
		if err := os.WriteFile(r.path, c.left, 0o666); err != nil {
			t.Fatal(err)
		}
		p, err := Lock(t.Context(), r.path)
		if err != nil {
			t.Fatal(err)
		}
		p.geometry = small
		h := &fake{content: content}
		if err := p.Fetch(t.Context(), r.blob(h)); err != nil {
			t.Error(err)
		}
		if err := p.Rename(done); err != nil {
			t.Error(err)
		}
		if got, err := os.ReadFile(done); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if asked := h.requests.Load() > 0; asked != c.requests {
			t.Errorf("%d requests", h.requests.Load())
		}
		entries, err := os.ReadDir(filepath.Dir(done))
		if err != nil || len(entries) != 1 {
			t.Errorf("left %v, %v", entries, err)
		}
	}
}

// A locked part file is waited for, until ctx ends.
func TestLock(t *testing.T) {
	r := newRun(t)
	p, err := TryLock(r.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryLock(r.path); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := Lock(ctx, r.path); err != context.DeadlineExceeded {
		t.Error(err)
	}
	p.Close()
	if p, err = Lock(t.Context(), r.path); err != nil {
		t.Fatal(err)
	}
	if err := p.Discard(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(r.path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// However often a part file is removed, a lock is one of the file that has the name.
func TestLockRace(t *testing.T) {
	r := newRun(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 2000 {
				p, err := TryLock(r.path)
				if errors.Is(err, ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if !stage.IsNamed(p.file, r.path) {
					t.Error("locked, and has no name")
				}
				if err := p.Discard(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// What is in the place of a part file and is none is refused, and remains.
func TestLockWhat(t *testing.T) {
	r := newRun(t)
	if err := os.Symlink("elsewhere", r.path); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(t.Context(), r.path); status.Of(err) != status.Create {
		t.Error(err)
	}
	if _, err := Lock(t.Context(), filepath.Dir(r.path)); status.Of(err) != status.Create {
		t.Error(err)
	}
	if _, err := Lock(t.Context(), filepath.Join(r.path, "none")); status.Of(err) != status.Create {
		t.Error(err)
	}
}

// The limits hold for a host and for all.
func TestLimiter(t *testing.T) {
	l := NewLimiter()
	var free []func()
	for _, name := range []string{"a", "b", "c"} {
		ctx := t.Context()
		if name == "c" { // nothing is left for it
			waits, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			ctx = waits
		}
		for {
			slot, err := l.acquire(ctx, name)
			if err != nil {
				break
			}
			free = append(free, slot.free)
			if len(free) == maxHostConns || len(free) == maxConns {
				break
			}
		}
	}
	if len(free) != maxConns || len(l.hosts["a"].conns) != maxHostConns || len(l.hosts["c"].conns) != 0 {
		t.Errorf("%d connections", len(free))
	}
	for _, release := range free {
		release()
	}
	if slot, err := l.acquire(t.Context(), "c"); err != nil {
		t.Error(err)
	} else {
		slot.free()
	}
}
