// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"banger/lib/retry"
)

// small divides a blob of blobSize bytes as standard divides one of 64 MiB and
// some bytes.
var small = geometry{unit: 1 << 10, segment: 16 << 10, single: 32 << 10, flush: 8 << 10}

const blobSize = 64<<10 + 13

var (
	content = random(1, blobSize)
	digest  = digestOf(content)
)

func random(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func digestOf(p []byte) string {
	sum := sha256.Sum256(p)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// A fake is a Host in memory. It counts the requests and the bytes that were read.
type fake struct {
	name     string
	content  []byte
	requests atomic.Int64
	sent     atomic.Int64
	// answer, if not nil, is called for the n-th request, from 0; for a nil Answer
	// and a nil error, the request is answered well.
	answer func(ctx context.Context, n int64, from, to int64) (*Answer, error)
}

func (h *fake) Name() string { return h.name }

func (h *fake) Open(ctx context.Context, from, to int64) (*Answer, error) {
	n := h.requests.Add(1) - 1
	if h.answer != nil {
		a, err := h.answer(ctx, n, from, to)
		if err != nil {
			return nil, err
		}
		if a != nil {
			a.Body = &counted{a.Body, &h.sent}
			return a, nil
		}
	}
	a := h.part(from, to)
	a.Body = &counted{a.Body, &h.sent}
	return a, nil
}

// part answers with a range, or with the whole blob if that is asked for.
func (h *fake) part(from, to int64) *Answer {
	return &Answer{
		Body: io.NopCloser(bytes.NewReader(h.content[from:to])),
		From: from, To: to, Size: int64(len(h.content)), Whole: from == 0 && to == int64(len(h.content)),
	}
}

// all answers with the whole blob.
func (h *fake) all() *Answer { return h.part(0, int64(len(h.content))) }

type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// cutAfter returns a body that ends with an error after n bytes.
func cutAfter(body io.Reader, n int64) io.ReadCloser {
	return io.NopCloser(io.MultiReader(io.LimitReader(body, n), broken{}))
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// A run is a part file and what its fetches report.
type run struct {
	t       *testing.T
	path    string
	mu      sync.Mutex
	logged  []string
	arrived atomic.Int64
}

func newRun(t *testing.T) *run {
	return &run{t: t, path: filepath.Join(t.TempDir(), "sha256-x.part")}
}

func (r *run) blob(hosts ...Host) Blob {
	return Blob{
		Digest: digest, Size: blobSize, Hosts: hosts, Share: 1,
		Limiter: NewLimiter(), Retry: retry.Policy{For: 5 * time.Minute},
		Progress: func(n int64) { r.arrived.Add(n) },
		Log: func(host string, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.logged = append(r.logged, host+": "+err.Error())
		},
	}
}

// fetch fetches a blob, and checks the part file if that succeeds.
func (r *run) fetch(ctx context.Context, b Blob) error {
	r.t.Helper()
	p, err := Lock(ctx, r.path)
	if err != nil {
		return err
	}
	defer p.Close()
	p.geometry = small
	r.arrived.Store(0)
	if err := p.Fetch(ctx, b); err != nil {
		return err
	}
	got, err := os.ReadFile(r.path)
	if err != nil {
		r.t.Error(err)
	}
	if digestOf(got) != b.Digest || int64(len(got)) != b.Size {
		r.t.Errorf("%d wrong bytes in the part file", len(got))
	}
	if n := r.arrived.Load(); n != b.Size {
		r.t.Errorf("progress of %d bytes", n)
	}
	return nil
}

func (r *run) mustFetch(b Blob) {
	r.t.Helper()
	if err := r.fetch(r.t.Context(), b); err != nil {
		r.t.Fatal(err)
	}
}
