// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/test/faultproxy"
)

// TestFetchShared lets sixteen processes fetch ten images into one cold cache. The
// images share one layer, of several segments. Each blob is fetched once.
func TestFetchShared(t *testing.T) {
	f := newFaulty(t, 33<<20, 200_000)
	p := f.proxy(t, modes[1], nil)
	shared := static.NewLayer(smallNoise(1, 33<<20), types.OCIUncompressedLayer)
	refs := []string{p.Host() + "/app:1"}
	for n := 2; n <= 10; n++ {
		f.push(t, fmt.Sprintf("app:%d", n), smallLayers(t, append(noiseLayers(uint64(n), 200_000+n, 10_000+n), shared)...))
		refs = append(refs, fmt.Sprintf("%s/app:%d", p.Host(), n))
	}
	place := f.place(t, p)
	var ends []func() outcome
	for n := range 16 {
		from := n * len(refs) / 16
		ends = append(ends, begin(t, f.fetch(place, slices.Concat(refs[from:], refs[:from])...)))
	}
	for _, end := range ends {
		if o := end(); o.code != 0 || strings.Count(o.stdout, "\n") != len(refs) {
			t.Errorf("exit status %d, printed %q\n%s", o.code, o.stdout, o.stderr)
		}
	}
	if listed := cacheGood(t, cacheOf(place)); strings.Count(listed, "\n") != len(refs) {
		t.Errorf("listed: %s", listed)
	}
	f.once(t, p.Requests())
}

// once fails the test unless exactly the bytes of each blob were sent, beside those that
// were under way when another connection took over the end of a segment.
func (f *faulty) once(t *testing.T, requests []faultproxy.Request) {
	t.Helper()
	sent := map[string]int64{}
	for _, r := range requests {
		if isBlob(r) && r.Method == "GET" {
			sent[path.Base(r.Path)] += wanted(r, requests)
		}
	}
	for _, b := range f.blobs {
		if n := sent[b.names[0]]; len(b.names) == 1 && n != b.size {
			t.Errorf("%s: %d bytes of %d were sent", b.names[0], n, b.size)
		}
	}
	t.Logf("%d requests", len(requests))
}
