// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"banger/test/faultproxy"
)

// A serverFault is a fault of a server, and what a client may make of it.
type serverFault struct {
	kind  faultproxy.Kind
	times int32
	most  int64 // bytes on the wire: the size of all blobs, times this, and 1 MiB a connection
	need  func(mode) bool
	slow  bool
}

var serverFaults = map[string]serverFault{
	"cut":                   {kind: faultproxy.Cut, times: 2, most: 1},
	"stall":                 {kind: faultproxy.Stall, times: 1, most: 1, slow: true},
	"no answer":             {kind: faultproxy.NoAnswer, times: 2, most: 1},
	"unasked HTTP/2":        {kind: faultproxy.Unasked, times: 2, most: 1},
	"content encoding":      {kind: faultproxy.Encoded, times: 1, most: 2},
	"503 burst":             {kind: faultproxy.Unavailable, times: 2, most: 1},
	"429, seconds":          {kind: faultproxy.TooManySeconds, times: 1, most: 1},
	"429, date":             {kind: faultproxy.TooManyDate, times: 1, most: 1},
	"short 206":             {kind: faultproxy.Short, times: 3, most: 1},
	"expired token":         {kind: faultproxy.ExpireToken, times: 1, most: 1, need: func(m mode) bool { return m.tokens && !m.cdn }},
	"expired address":       {kind: faultproxy.ExpireAddress, times: 2, most: 1, need: func(m mode) bool { return m.cdn }},
	"flipped byte":          {kind: faultproxy.Flip, times: 1, most: 2},
	"wrong length":          {kind: faultproxy.WrongLength, times: 1, most: 2},
	"ignored range":         {kind: faultproxy.IgnoreRange, times: 1, most: 2},
	"wrong range":           {kind: faultproxy.WrongRange, times: 1, most: 2},
	"range not satisfiable": {kind: faultproxy.NotSatisfiable, times: 1, most: 2},
}

// TestFetchFaults shows each fault of a server at random points of an image, of
// which one layer is fetched in segments. The fetch succeeds, or the next one
// does, and no more bytes than necessary are on the wire.
func TestFetchFaults(t *testing.T) {
	f := newFaulty(t, 33<<20, 3<<20, 300_000)
	for name, fault := range serverFaults {
		if fault.slow && *points < 10 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.show(t, name, fault)
		})
	}
}

// show shows a fault at all points, in turn in each mode that suits it.
func (f *faulty) show(t *testing.T, name string, fault serverFault) {
	var suited []mode
	for _, m := range modes {
		if fault.need == nil || fault.need(m) {
			suited = append(suited, m)
		}
	}
	var all figures
	t.Run("points", func(t *testing.T) {
		for i := range *points {
			random := rand.New(rand.NewPCG(uint64(i), uint64(len(name))))
			m := suited[(i+len(name))%len(suited)]
			of, at := f.byte(random)
			t.Run(fmt.Sprintf("%s/%.14s@%d", m.name, of[0], at), func(t *testing.T) {
				t.Parallel()
				all.add(f.point(t, m, fault, &faultproxy.Fault{Kind: fault.kind, Of: of, At: at, Times: fault.times}))
			})
		}
	})
	t.Logf("%s: %s", name, all.String())
}

// point shows a fault at one byte of an image.
func (f *faulty) point(t *testing.T, m mode, fault serverFault, shown *faultproxy.Fault) figure {
	p := f.proxy(t, m, func(p *faultproxy.Proxy) { p.Fault = shown })
	place, ref := f.place(t, p), p.Host()+"/app:1"
	o := finish(t, f.fetch(place, ref))
	discreet(t, p, o.stderr)
	again := o.code != 0
	if again {
		t.Logf("exit status %d, fetched again: %s", o.code, o.stderr)
		o = finish(t, f.fetch(place, ref))
	}
	f.complete(t, place, ref, o)
	if shown.Shown() == 0 {
		t.Error("the fault was not shown")
	}
	return f.measure(t, p, fault.most, again)
}

// A figure is what one fetch, and the next one if it failed, cost.
type figure struct {
	wire, conns, requests int64
	excess                float64 // MiB beyond the size of all blobs, per connection
	size                  int64
	again                 bool
}

// measure checks the limit of bytes on the wire.
func (f *faulty) measure(t *testing.T, p *faultproxy.Proxy, most int64, again bool) figure {
	t.Helper()
	g := figure{wire: p.Wire(), conns: p.Conns(), requests: int64(len(p.Requests())), size: f.size, again: again}
	g.excess = float64(g.wire-most*f.size) / (1 << 20) / float64(g.conns)
	if g.excess > 1 {
		t.Errorf("%d bytes on the wire in %d connections, for %d times %d", g.wire, g.conns, most, f.size)
	}
	return g
}

// figures are those of several fetches.
type figures struct {
	mu  sync.Mutex
	all []figure
}

func (f *figures) add(g figure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, g)
}

// String describes the figures as a line: the largest, and the median number of
// requests.
func (f *figures) String() string {
	var most, excess float64
	var requests []float64
	var again int
	for _, g := range f.all {
		most, excess = max(most, float64(g.wire)/float64(g.size)), max(excess, g.excess)
		requests = append(requests, float64(g.requests))
		if g.again {
			again++
		}
	}
	if len(requests) == 0 {
		return "no points"
	}
	return fmt.Sprintf("%d points: at most %.3f times the size on the wire, %.2f MiB a connection beyond the limit; %v requests; %d fetched again",
		len(f.all), most, excess, median(requests), again)
}
