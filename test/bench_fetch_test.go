// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"banger/test/faultproxy"
)

// crane is another client of registries.
var crane = goProgram{"github.com/google/go-containerregistry", "v0.22.1", "cmd/crane"}

const (
	slowRate    = 20_000_000 // bytes a second of a connection
	slowLatency = 200 * time.Millisecond
)

// BenchmarkFetch fetches images next to crane pull and skopeo copy, which make the
// same layout: from a registry on loopback, and through a proxy where each
// connection is slow. A row "to disk" includes the time of sync -f afterwards.
// BenchmarkFetch/again fetches an unchanged tag.
func BenchmarkFetch(b *testing.B) {
	need(b, "time", "skopeo")
	crane := crane.need(b)
	b.Run("loopback", func(b *testing.B) { newFetching(b, crane, 400_000_000, 200_000_000, 50_000_000).loopback(b) })
	for name, sizes := range map[string][]int64{"one": {500_000_000}, "four": {125_000_000, 125_000_000, 125_000_000, 125_000_000}} {
		b.Run(name, func(b *testing.B) {
			f := newFetching(b, crane, sizes...)
			b.Run("http", func(b *testing.B) { f.slow(b, mode{}) })
			b.Run("h2", func(b *testing.B) { f.slow(b, mode{tls: true}) })
		})
	}
	b.Run("again", func(b *testing.B) { newFetching(b, crane, 400_000_000, 200_000_000, 50_000_000).again(b) })
}

// A fetching is an image in a registry without passwords.
type fetching struct {
	*faulty
	crane, certs string
}

// newFetching pushes an image of layers with the sizes, which look compressed:
// skopeo would compress others.
func newFetching(b *testing.B, crane string, sizes ...int64) *fetching {
	b.Helper()
	f := &fetching{&faulty{user: newUser(b, uint32(os.Getuid())), ca: newAuthority(b), registry: startRegistry(b)}, crane, scratch(b)}
	var layers []v1.Layer
	for i, size := range sizes {
		var layer bytes.Buffer
		w, err := gzip.NewWriterLevel(&layer, gzip.NoCompression)
		if err != nil {
			b.Fatal(err)
		}
		w.Write(smallNoise(uint64(i), int(scaled(size))))
		w.Close()
		layers = append(layers, static.NewLayer(layer.Bytes(), types.OCILayer))
	}
	f.push(b, "app:1", smallLayers(b, layers...))
	writeFor(b, filepath.Join(f.certs, "ca.crt"), read(b, f.ca.file("ca.pem")))
	return f
}

// entrants are banger-fetch, crane and skopeo. Each writes an OCI layout to dir.
func (f *fetching) entrants(host string, tls bool, place string) contest {
	ref := host + "/app:1"
	return contest{
		{name: "banger-fetch", command: func(dir string) []string { return f.command(dir, place, ref) }},
		{name: "crane pull", command: func(dir string) []string {
			return []string{"env", "SSL_CERT_FILE=" + f.ca.file("ca.pem"), f.crane, "pull", "--format=oci", ref, filepath.Join(dir, "oci")}
		}},
		{name: "skopeo copy", command: func(dir string) []string {
			return []string{"skopeo", "--insecure-policy", "copy", "--quiet", "--src-cert-dir", f.certs, fmt.Sprint("--src-tls-verify=", tls),
				"docker://" + ref, "oci:" + filepath.Join(dir, "oci") + ":1"}
		}},
	}
}

// command fetches into the cache below dir.
func (f *fetching) command(dir, place, ref string) []string {
	return []string{"env", "XDG_CACHE_HOME=" + dir, "banger-fetch", "--hosts-dir", filepath.Join(place, "certs.d"), ref}
}

// loopback lets the entrants fetch from the registry. Their requests are counted in
// a round through a proxy, which is not measured.
func (f *fetching) loopback(b *testing.B) {
	p := f.proxy(b, mode{}, nil)
	place := f.user.place(b)
	requests := newRivals(f.entrants(p.Host(), false, place)).round(b, f.user, p)
	r := newRivals(f.entrants(f.registry, false, place))
	for b.Loop() {
		r.round(b, f.user, p)
	}
	report(b, r.fetch, r.disk)
	b.Logf("requests: %v", requests)
}

// slow lets the entrants fetch through a slow proxy.
func (f *fetching) slow(b *testing.B, m mode) {
	p := f.proxy(b, m, func(p *faultproxy.Proxy) { p.Rate, p.Latency = slowRate, slowLatency })
	place := f.user.place(b)
	f.configure(b, place, p)
	r := newRivals(f.entrants(p.Host(), m.tls, place))
	var requests []int
	for b.Loop() {
		requests = r.round(b, f.user, p)
	}
	report(b, r.fetch, r.disk)
	b.Logf("requests: %v", requests)
}

// again fetches an image that is cached, whose tag has not moved.
func (f *fetching) again(b *testing.B) {
	p := f.proxy(b, mode{}, nil)
	place := f.user.place(b)
	command := f.command(place, place, p.Host()+"/app:1")
	e := &entrant{name: "banger-fetch again", command: func(string) []string { return command }}
	output(b, f.user.command(command[0], command[1:]...))
	seen := len(p.Requests())
	for b.Loop() {
		e.run(b, f.user)
	}
	report(b, contest{e})
	b.Logf("requests a run: %v", float64(len(p.Requests())-seen)/float64(len(e.costs)))
}

// rivals fetch the same image in turn.
type rivals struct{ fetch, disk contest }

func newRivals(c contest) rivals {
	r := rivals{fetch: c}
	for _, e := range c {
		r.disk = append(r.disk, &entrant{name: e.name + " to disk"})
	}
	return r
}

// round is contest.round. It returns the number of requests of each entrant.
func (r rivals) round(b *testing.B, u user, p *faultproxy.Proxy) []int {
	b.Helper()
	requests := make([]int, len(r.fetch))
	first := len(r.fetch[0].costs)
	for i := range r.fetch {
		n := (first + i) % len(r.fetch)
		seen := len(p.Requests())
		r.run(b, u, n)
		requests[n] = len(p.Requests()) - seen
	}
	return requests
}

// run runs an entrant in a new directory, and then sync -f there.
func (r rivals) run(b *testing.B, u user, n int) {
	b.Helper()
	touchMemory(b, 2<<30)
	dir, err := os.MkdirTemp(u.home, "made-")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	command := r.fetch[n].command(dir)
	c := u.measure(b, command[0], command[1:]...)
	r.fetch[n].costs = append(r.fetch[n].costs, c)
	start := time.Now()
	output(b, u.command("sync", "-f", dir))
	c[wall] += time.Since(start).Seconds()
	r.disk[n].costs = append(r.disk[n].costs, c)
}

// touchMemory uses so many bytes of memory and frees them. In a virtual machine the
// first use of a page is slow: who is measured first would pay for it.
func touchMemory(b *testing.B, bytes int) {
	b.Helper()
	memory, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_POPULATE)
	if err == nil {
		err = unix.Munmap(memory)
	}
	if err != nil {
		b.Fatal(err)
	}
}
