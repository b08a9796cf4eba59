// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"

	"banger/test/faultproxy"
)

// killRate is the rate of a connection while fetches are killed, so that a client
// reads what is sent as it arrives, also on a busy machine.
const killRate = 8 << 20

// TestFetchKilled kills a fetch when a random number of bytes was sent, and fetches
// again: what was there at each MiB is not fetched twice.
func TestFetchKilled(t *testing.T) {
	f := newFaulty(t, 33<<20, 3<<20, 300_000)
	var all figures
	t.Run("points", func(t *testing.T) {
		for i := range *points {
			m := modes[i%len(modes)]
			at := rand.New(rand.NewPCG(uint64(i), 9)).Int64N(f.size)
			t.Run(fmt.Sprintf("%s@%d", m.name, at), func(t *testing.T) {
				t.Parallel()
				all.add(f.killAt(t, m, at))
			})
		}
	})
	t.Log("kill: ", all.String())
}

// killAt kills a fetch when at bytes were sent.
func (f *faulty) killAt(t *testing.T, m mode, at int64) figure {
	p := f.proxy(t, m, func(p *faultproxy.Proxy) { p.Rate = killRate })
	place, ref := f.place(t, p), p.Host()+"/app:1"
	killAtWire(t, p, f.fetch(place, ref), at)
	cacheGood(t, cacheOf(place))
	o := finish(t, f.fetch(place, ref))
	f.complete(t, place, ref, o)
	return f.measure(t, p, 1, true)
}

// killAtWire runs a command and kills it when at bytes were sent.
func killAtWire(t *testing.T, p *faultproxy.Proxy, cmd *exec.Cmd, at int64) {
	t.Helper()
	ended := make(chan struct{})
	p.AtWire(at, func() { cmd.Process.Kill(); <-ended })
	if o := finish(t, cmd); o.code != 128+int(syscall.SIGKILL) {
		t.Errorf("not killed: exit status %d\n%s", o.code, o.stderr)
	}
	close(ended)
}
