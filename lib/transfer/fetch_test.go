// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"banger/lib/status"
)

// A small blob is fetched with one request, a large one in segments, whose number
// depends on which worker is fast, and an empty one with none.
func TestFetch(t *testing.T) {
	for size, least := range map[int64]int64{0: 0, 1: 1, 1024: 1, 32<<10 - 1: 1, 32 << 10: 2, 48<<10 + 1: 3, blobSize: 4} {
		h := &fake{content: content[:size]}
		r := newRun(t)
		b := r.blob(h)
		b.Digest, b.Size = digestOf(h.content), size
		r.mustFetch(b)
		requests := h.requests.Load()
		if requests < least || requests > 1 && least <= 1 || h.sent.Load() != size {
			t.Errorf("%d bytes: %d requests, %d bytes sent", size, requests, h.sent.Load())
		}
		r.mustFetch(b)
		if h.requests.Load() != requests {
			t.Errorf("%d bytes: complete, and fetched again", size)
		}
	}
}

// The first segment is the probe. Who is done takes over half of the largest rest.
func TestSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked [][2]int64
		var mu sync.Mutex
		start := time.Now()
		h := &fake{content: random(2, 512<<10)}
		h.answer = func(ctx context.Context, n, from, to int64) (*Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			if n == 0 {
				time.Sleep(time.Second) // the others wait for the answer
			} else if time.Since(start) < time.Second {
				t.Error("asked before the probe was answered")
			}
			asked = append(asked, [2]int64{from, to})
			a := h.part(from, to)
			pause := 100 * time.Millisecond
			if from == 64<<10 {
				pause = 401 * time.Millisecond
			}
			a.Body = io.NopCloser(&paced{ctx, a.Body, pause})
			return a, nil
		}
		r := newRun(t)
		b := r.blob(h)
		b.Digest, b.Size = digestOf(h.content), 512<<10
		r.mustFetch(b)
		if asked[0] != [2]int64{0, 64 << 10} {
			t.Errorf("first %v", asked[0])
		}
		slices.SortFunc(asked, func(a, b [2]int64) int { return int(a[0] - b[0]) })
		var starts []int64
		for i, a := range asked {
			starts = append(starts, a[0]>>10)
			// A range ends with its segment, or where another worker took over its end
			// before it was requested.
			next := b.Size
			if i < len(asked)-1 {
				next = asked[i+1][0]
			}
			if a[1] != next && a[1] != (a[0]>>16+1)<<16 {
				t.Errorf("asked for %v", a)
			}
		}
		if want := []int64{0, 64, 92, 104, 116, 128, 192, 256, 320, 384, 448}; !slices.Equal(starts, want) {
			t.Errorf("asked for %v", asked)
		}
		if h.sent.Load() != b.Size {
			t.Errorf("%d bytes sent", h.sent.Load())
		}
	})
}

// A blob that is not alone is cut for its share of the connections. When another one
// gives connections up, it has those.
func TestShare(t *testing.T) {
	for name, c := range map[string]struct {
		other       int64 // its bytes, 0 for no other
		least, most int64 // connections of the blob at a time
	}{"alone": {0, 2, 2}, "beside another": {64 << 10, 3, maxWorkers}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limiter := NewLimiter()
				var group sync.WaitGroup
				fetch := func(size int64) (most *atomic.Int64) {
					var now atomic.Int64
					most = new(atomic.Int64)
					h := &fake{content: random(2, int(size))}
					h.answer = func(ctx context.Context, _, from, to int64) (*Answer, error) {
						a := h.part(from, to)
						most.Store(max(most.Load(), now.Add(1)))
						a.Body = &closing{&paced{ctx, a.Body, 100 * time.Millisecond}, func() { now.Add(-1) }}
						return a, nil
					}
					r := newRun(t)
					b := r.blob(h)
					b.Digest, b.Size, b.Share, b.Limiter = digestOf(h.content), size, 0.25, limiter
					group.Go(func() {
						if err := r.fetch(t.Context(), b); err != nil {
							t.Error(err)
						}
					})
					return most
				}
				most := fetch(512 << 10)
				if c.other > 0 {
					fetch(c.other)
				}
				group.Wait()
				if n := most.Load(); n < c.least || n > c.most {
					t.Errorf("%d connections", n)
				}
			})
		})
	}
}

// A closing reader calls a function when it is closed.
type closing struct {
	io.Reader
	closed func()
}

func (c *closing) Close() error {
	c.closed()
	return nil
}

// A paced reader pauses, then delivers 1 KiB.
type paced struct {
	ctx   context.Context
	r     io.Reader
	pause time.Duration
}

func (r *paced) Read(p []byte) (int, error) {
	select {
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	case <-time.After(r.pause):
		return r.r.Read(p[:min(len(p), 1<<10)])
	}
}

// A connection that delivers less than 1 KiB a second is replaced. One that is a
// little faster is not.
func TestStall(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration
		after int64
		want  int64 // requests
		least time.Duration
	}{
		"silent":            {time.Hour, 0, 2, stallAfter},
		"silent in the mid": {time.Hour, 5000, 2, stallAfter},
		"slow":              {1010 * time.Millisecond, 0, 2, stallAfter},
		"fast enough":       {950 * time.Millisecond, 0, 1, 29 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fake{content: content[:31<<10]}
				h.answer = func(ctx context.Context, n, from, to int64) (*Answer, error) {
					if n > 0 {
						return nil, nil
					}
					a := h.part(from, to)
					first := io.LimitReader(a.Body, c.after)
					a.Body = io.NopCloser(io.MultiReader(first, &paced{ctx, a.Body, c.pause}))
					return a, nil
				}
				r := newRun(t)
				b := r.blob(h)
				b.Digest, b.Size = digestOf(h.content), 31<<10
				start := time.Now()
				r.mustFetch(b)
				took := time.Since(start)
				if h.requests.Load() != c.want || took < c.least || took > c.least+2*time.Second {
					t.Errorf("%d requests, %v\n%s", h.requests.Load(), took, strings.Join(r.logged, "\n"))
				}
				if h.sent.Load() != b.Size {
					t.Errorf("%d bytes sent", h.sent.Load())
				}
			})
		})
	}
}

// A host that answers as it should not, or not at all, and what the last host's
// error is.
func TestHostFails(t *testing.T) {
	other := random(3, blobSize+1)
	for name, c := range map[string]struct {
		answer func(h *fake, n, from, to int64) (*Answer, error)
		want   string // as the only host; "" for success
		code   status.Code
		most   int64 // bytes read from it, in units of the blob's size
	}{
		"is refused": {func(*fake, int64, int64, int64) (*Answer, error) {
			return nil, status.Errorf(status.Refused, "access denied")
		}, "access denied", status.Refused, 0},
		"has not got it": {func(*fake, int64, int64, int64) (*Answer, error) {
			return nil, &Error{Kind: Final, Err: status.Errorf(status.NoInput, "no such blob")}
		}, "no such blob", status.NoInput, 0},
		"is down": {func(*fake, int64, int64, int64) (*Answer, error) {
			return nil, status.Errorf(status.Temporary, "cannot connect")
		}, "cannot connect (tried for 5m0s)", status.Temporary, 0},
		"asks to wait": {func(*fake, int64, int64, int64) (*Answer, error) {
			return nil, &Error{Kind: Temporary, After: time.Hour, Err: errors.New("too many requests")}
		}, "too many requests: the server allows the next request in 1h0m0s", status.Temporary, 0},
		"has another size": {func(h *fake, n, from, to int64) (*Answer, error) {
			a := h.part(from, to)
			a.Size++
			return a, nil
		}, digest + ": size mismatch: server has 65550 bytes, not 65549", status.Bad, 0},
		"has other bytes": {func(_ *fake, n, from, to int64) (*Answer, error) {
			return (&fake{content: other[:blobSize]}).part(from, to), nil
		}, digest + ": digest mismatch", status.Bad, 2},
		"has more bytes": {func(h *fake, n, from, to int64) (*Answer, error) {
			a := (&fake{content: other}).all()
			a.Size = 0
			return a, nil
		}, digest + ": longer than 65549 bytes", status.Bad, 3},
		"has more bytes in ranges": {func(h *fake, n, from, to int64) (*Answer, error) {
			a := h.part(from, to)
			a.Body = io.NopCloser(io.MultiReader(a.Body, strings.NewReader("more")))
			return a, nil
		}, "", status.OK, 1},
		"has fewer bytes": {func(h *fake, n, from, to int64) (*Answer, error) {
			return &Answer{Body: h.part(0, 1000).Body, Whole: true}, nil
		}, "connection cut: unexpected EOF (tried for 5m0s)", status.Temporary, 1},
		"is cut near the end, and has no ranges": {func(h *fake, n, from, to int64) (*Answer, error) {
			return &Answer{Body: h.part(0, 60000).Body, Whole: true}, nil
		}, digest + ": cut again and again, and the server has no ranges", status.Temporary, 2},
		"has no ranges": {func(h *fake, n, from, to int64) (*Answer, error) {
			return h.all(), nil
		}, "", status.OK, 1},
		"answers 416 to a range": {func(h *fake, n, from, to int64) (*Answer, error) {
			if to-from < blobSize {
				return nil, &Error{Kind: NoRanges, Err: errors.New("range not satisfiable")}
			}
			return h.all(), nil
		}, "", status.OK, 1},
		"answers 416 to everything": {func(h *fake, n, from, to int64) (*Answer, error) {
			return nil, &Error{Kind: NoRanges, Err: errors.New("range not satisfiable")}
		}, "range not satisfiable", status.Failed, 0},
		"answers with other ranges": {func(h *fake, n, from, to int64) (*Answer, error) {
			a := h.part(from, to)
			a.From, a.To = a.From+1, a.To+1
			return a, nil
		}, "", status.OK, 1},
		"answers with parts only": {func(h *fake, n, from, to int64) (*Answer, error) {
			a := h.part(10, 20)
			return a, nil
		}, digest + ": server answered with a part of the blob, and has no ranges", status.Bad, 0},
		"answers with shorter ranges": {func(h *fake, n, from, to int64) (*Answer, error) {
			return h.part(from, min(to, from+777)), nil
		}, "", status.OK, 1},
		"has ranges at the start only": {func(h *fake, n, from, to int64) (*Answer, error) {
			if from == 0 {
				return nil, nil
			}
			return h.all(), nil
		}, "", status.OK, 2},
		"has ranges, later none": {func(h *fake, n, from, to int64) (*Answer, error) {
			if n < 2 {
				a := h.part(from, to)
				a.Body = cutAfter(a.Body, 5000)
				return a, nil
			}
			return h.all(), nil
		}, "", status.OK, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fake{name: "bad", content: content}
				h.answer = func(_ context.Context, n, from, to int64) (*Answer, error) { return c.answer(h, n, from, to) }
				r := newRun(t)
				err := r.fetch(t.Context(), r.blob(h))
				if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want || status.Of(err) != c.code) {
					t.Errorf("%v, status %d", err, status.Of(err))
				}
				if most := c.most*blobSize + 8*1024; h.sent.Load() > most {
					t.Errorf("%d bytes sent, limit %d", h.sent.Load(), most)
				}
			})
			synctest.Test(t, func(t *testing.T) { // with a second host
				h, good := &fake{name: "bad", content: content}, &fake{name: "good", content: content}
				h.answer = func(_ context.Context, n, from, to int64) (*Answer, error) { return c.answer(h, n, from, to) }
				r := newRun(t)
				start := time.Now()
				r.mustFetch(r.blob(h, good))
				if c.want != "" && (len(r.logged) == 0 || !strings.HasPrefix(r.logged[0], "bad: ") || time.Since(start) > 0) {
					t.Errorf("took %v, logged %q", time.Since(start), r.logged)
				}
				if good.sent.Load() > blobSize {
					t.Errorf("%d bytes from the good host", good.sent.Load())
				}
			})
		})
	}
}

// Wrong bytes of one host, and of a run before, do not outlive the next host's.
func TestWrongBytesOfManyHosts(t *testing.T) {
	bad := func(name string) *fake { return &fake{name: name, content: random(4, blobSize)} }
	one, two, good := bad("one"), bad("two"), &fake{name: "three", content: content}
	one.answer = func(_ context.Context, n, from, to int64) (*Answer, error) {
		a := one.part(from, to)
		a.Body = cutAfter(a.Body, 5000) // goes on at the next host
		return a, nil
	}
	r := newRun(t)
	r.mustFetch(r.blob(one, two, good))
	if good.sent.Load() != blobSize || good.requests.Load() != 1 {
		t.Errorf("%d bytes in %d requests", good.sent.Load(), good.requests.Load())
	}
	if err := r.fetch(t.Context(), r.blob(bad("one"))); err != nil {
		t.Error("complete, and fetched again: ", err)
	}
	flip(t, r.path, 1)
	flip(t, r.path, 9000) // the map tells
	three := &fake{content: content}
	r.mustFetch(r.blob(three))
	if three.sent.Load() != 2048 {
		t.Errorf("%d bytes again", three.sent.Load())
	}
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// A canceled fetch returns the error of its context at once, and can be resumed.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fake{content: content}
		h.answer = func(ctx context.Context, n, from, to int64) (*Answer, error) {
			a := h.part(from, to)
			a.Body = io.NopCloser(io.MultiReader(io.LimitReader(a.Body, 3000), &paced{ctx, a.Body, time.Hour}))
			return a, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := newRun(t)
		start := time.Now()
		if err := r.fetch(ctx, r.blob(h)); err != context.DeadlineExceeded || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		again := &fake{content: content}
		r.mustFetch(r.blob(again))
		if n := again.sent.Load(); n > blobSize-4*2048 {
			t.Errorf("%d bytes again", n)
		}
	})
}

// What cannot be written is an error of this machine: no other host is asked.
func TestCannotWrite(t *testing.T) {
	h, other := &fake{content: content}, &fake{content: content}
	r := newRun(t)
	p, err := Lock(t.Context(), r.path)
	if err != nil {
		t.Fatal(err)
	}
	h.answer = func(context.Context, int64, int64, int64) (*Answer, error) {
		return nil, p.file.Close()
	}
	if err := p.Fetch(t.Context(), r.blob(h, other)); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if other.requests.Load() > 0 || h.requests.Load() != 1 {
		t.Error("asked again")
	}
}
