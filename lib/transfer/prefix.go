// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"sync"
)

// bufferSize is how much is read, written and hashed at a time.
const bufferSize = 128 << 10

// A prefix hashes the bytes of a part file from its start. A worker that writes the
// next bytes adds them; what others wrote ahead is read back when it is reached.
type prefix struct {
	wake   chan struct{}
	mu     sync.Mutex
	sum    hash.Hash
	at     int64 // bytes hashed
	buffer []byte
}

func newPrefix() *prefix { return &prefix{wake: make(chan struct{}, 1), sum: sha256.New()} }

// add hashes the bytes at an offset and returns true if they are the next ones.
func (h *prefix) add(at int64, p []byte) bool {
	if !h.mu.TryLock() {
		return false
	}
	defer h.mu.Unlock()
	if h.at != at {
		return false
	}
	h.sum.Write(p)
	h.at += int64(len(p))
	return true
}

// poke wakes the goroutine in follow.
func (h *prefix) poke() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// follow hashes what is written until ctx ends.
func (f *fetch) follow(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.prefix.wake:
		}
		if err := f.prefix.read(ctx, f.file, f.ready()); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// read hashes the bytes of a file up to an offset.
func (h *prefix) read(ctx context.Context, r io.ReaderAt, to int64) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if more, err := h.readSome(r, to); err != nil || !more {
			return err
		}
	}
}

// readSome hashes one buffer of bytes and returns false if there are none. A worker
// can add bytes between two calls.
func (h *prefix) readSome(r io.ReaderAt, to int64) (more bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at >= to {
		return false, nil
	}
	if h.buffer == nil {
		h.buffer = make([]byte, bufferSize)
	}
	n, err := r.ReadAt(h.buffer[:min(bufferSize, to-h.at)], h.at)
	h.sum.Write(h.buffer[:n])
	h.at += int64(n)
	if err == io.EOF && h.at < to {
		err = io.ErrUnexpectedEOF // another process truncated it
	} else if err == io.EOF {
		err = nil
	}
	return true, err
}

// digest returns the digest of the bytes hashed.
func (h *prefix) digest() string { return "sha256:" + hex.EncodeToString(h.sum.Sum(nil)) }
