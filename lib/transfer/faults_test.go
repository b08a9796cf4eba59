// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"banger/lib/retry"
	"banger/lib/status"
)

// A fault spoils the answer to a request for the bytes from to to, and reports
// whether it did. The offset at is one of them.
type fault func(w http.ResponseWriter, req *http.Request, from, to, at int64) bool

// faults are those of a server, and how much may be received: the size of the blob
// and a unit a connection, times this.
var faults = map[string]struct {
	do   fault
	most int64
}{
	"cut": {func(w http.ResponseWriter, _ *http.Request, from, to, at int64) bool {
		answer(w, from, to)
		w.Write(content[from:at])
		panic(http.ErrAbortHandler)
	}, 1},
	"stall": {func(w http.ResponseWriter, req *http.Request, from, to, at int64) bool {
		answer(w, from, to)
		w.Write(content[from:at])
		w.(http.Flusher).Flush()
		<-req.Context().Done()
		return true
	}, 1},
	"no answer": {func(http.ResponseWriter, *http.Request, int64, int64, int64) bool {
		panic(http.ErrAbortHandler)
	}, 1},
	"status 503": {func(w http.ResponseWriter, _ *http.Request, _, _, _ int64) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}, 1},
	"status 429, seconds": {func(w http.ResponseWriter, _ *http.Request, _, _, _ int64) bool {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}, 1},
	"status 429, date": {func(w http.ResponseWriter, _ *http.Request, _, _, _ int64) bool {
		w.Header().Set("Retry-After", time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}, 1},
	"short 206": {func(w http.ResponseWriter, _ *http.Request, from, to, at int64) bool {
		answer(w, from, at+1)
		w.Write(content[from : at+1])
		return true
	}, 1},
	"416": {func(w http.ResponseWriter, req *http.Request, _, _, _ int64) bool {
		if req.Header.Get("Range") == "" {
			return false
		}
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return true
	}, 2},
	"ignored range": {func(w http.ResponseWriter, _ *http.Request, _, _, _ int64) bool {
		answer(w, 0, blobSize)
		w.Write(content)
		return true
	}, 2},
	"wrong Content-Range": {func(w http.ResponseWriter, req *http.Request, from, to, at int64) bool {
		if req.Header.Get("Range") == "" {
			return false
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from+1, to, blobSize))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(content[from:to])
		return true
	}, 2},
	"flipped byte": {func(w http.ResponseWriter, _ *http.Request, from, to, at int64) bool {
		answer(w, from, to)
		w.Write(content[from:at])
		w.Write([]byte{content[at] ^ 1})
		w.Write(content[at+1 : to])
		return true
	}, 2},
	"wrong length": {func(w http.ResponseWriter, _ *http.Request, from, to, at int64) bool {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, at))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(content[from:to])
		return true
	}, 2},
}

// answer writes the header for a range, or for the whole blob.
func answer(w http.ResponseWriter, from, to int64) {
	w.Header().Set("Content-Length", fmt.Sprint(to-from))
	if from == 0 && to == blobSize {
		return
	}
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, blobSize))
	w.WriteHeader(http.StatusPartialContent)
}

// Wherever a fault is, the blob is fetched, or the next run fetches it. No byte more
// than necessary is received twice. With a second host, the first run succeeds.
func TestFaults(t *testing.T) {
	points := 200
	if testing.Short() {
		points = 20
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(6, 6))
			for i := range points {
				at := r.Int64N(blobSize)
				synctest.Test(t, func(t *testing.T) { oneFault(t, f.do, at, f.most, i%4 == 0) })
			}
		})
	}
}

func oneFault(t *testing.T, do fault, at, most int64, mirrored bool) {
	w := serve(do, at)
	defer w.close()
	r := newRun(t)
	b := r.blob(w)
	mirror := &fake{name: "good", content: content}
	if mirrored {
		b.Hosts = append(b.Hosts, mirror)
	}
	err := r.fetch(t.Context(), b)
	if err != nil && !mirrored {
		err = r.fetch(t.Context(), b)
	}
	if err != nil || !w.done.Load() {
		t.Errorf("at %d: %v", at, err)
	}
	if n := w.received.Load() + mirror.sent.Load(); n > most*blobSize+maxWorkers*small.unit {
		t.Errorf("at %d: %d bytes received", at, n)
	}
}

// A web is a server with one fault, on connections in memory, and a Host that asks
// it.
type web struct {
	server   *http.Server
	client   *http.Client
	conns    pipes
	received atomic.Int64
	done     atomic.Bool // the fault was shown
}

func serve(do fault, at int64) *web {
	w := &web{conns: pipes{make(chan net.Conn), make(chan struct{})}}
	w.server = &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		from, to := int64(0), int64(blobSize)
		if _, err := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-%d", &from, &to); err == nil {
			to++
		}
		if from <= at && at < to && w.done.CompareAndSwap(false, true) {
			if do(rw, req, from, to, at) {
				return
			}
			w.done.Store(false)
		}
		answer(rw, from, to)
		rw.Write(content[from:to])
	})}
	go w.server.Serve(w.conns)
	w.client = &http.Client{Transport: &http.Transport{DialContext: w.conns.dial}}
	return w
}

func (w *web) close() {
	w.client.CloseIdleConnections()
	w.server.Close()
}

func (w *web) Name() string { return "web" }

func (w *web) Open(ctx context.Context, from, to int64) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://web/blob", nil)
	if err != nil {
		return nil, err
	}
	if from > 0 || to < blobSize {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, status.With(status.Temporary, err)
	}
	a := &Answer{Body: struct {
		io.Reader
		io.Closer
	}{&counted{resp.Body, &w.received}, resp.Body}}
	switch resp.StatusCode {
	case http.StatusOK:
		a.Whole, a.Size = true, resp.ContentLength
		return a, nil
	case http.StatusPartialContent:
		_, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &a.From, &a.To, &a.Size)
		a.To++
		return a, err
	case http.StatusRequestedRangeNotSatisfiable:
		err = &Error{Kind: NoRanges, Err: errors.New(resp.Status)}
	default:
		after := retry.ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
		err = &Error{Kind: Temporary, After: after, Err: errors.New(strings.ToLower(resp.Status))}
	}
	resp.Body.Close()
	return nil, err
}

// pipes are a listener for connections in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }
