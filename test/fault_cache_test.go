// SPDX-License-Identifier: Apache-2.0

package test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestCacheDamaged changes, truncates and extends blobs in the cache. Each is
// detected and fetched again; good blobs are not requested.
func TestCacheDamaged(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	img := smallImage(t)
	ref := reg.push(t, "small:1", img)
	output(t, u.command("banger-fetch", ref))
	layer, config, manifest := digests(t, img)
	for _, victim := range []string{layer, config, manifest} {
		for name, harm := range map[string]func(b []byte) []byte{
			"changed": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"cut":     func(b []byte) []byte { return b[:len(b)/2] },
			"longer":  func(b []byte) []byte { return append(b, 0) },
			"empty":   func([]byte) []byte { return nil },
		} {
			t.Run(name, func(t *testing.T) {
				path := blobPath(u.cache(), victim)
				damage(t, path, harm)
				asked := reg.fetched(layer)
				output(t, u.command("banger-fetch", ref))
				cacheGood(t, u.cache())
				if again := reg.fetched(layer) > asked; again != (victim == layer) {
					t.Errorf("the layer was fetched again: %v", again)
				}
			})
		}
	}
}

// TestCacheMends types the hints for a layer that was damaged after the fetch, until
// the image can be flattened, and for one that was damaged before the image is verified,
// also if the cache is named.
func TestCacheMends(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	img := smallImage(t)
	line := output(t, u.command("banger-fetch", reg.push(t, "small:1", img)))
	layer, _, _ := digests(t, img)
	harm := func() { damage(t, blobPath(u.cache(), layer), func(b []byte) []byte { b[len(b)/2] ^= 1; return b }) }
	hinted := func(tool string, args ...string) {
		t.Helper()
		o := finish(t, u.command(tool, args...))
		o.failed(t, []int{65}, tool+": ", layer+": digest mismatch")
		if !strings.HasSuffix(o.stderr, "\nhint: banger-cache check\n") {
			t.Errorf("hint: %s", o.stderr)
		}
	}
	harm()
	hinted("banger-flatten", line)
	o := finish(t, u.command("banger-cache", "check"))
	_, again, _ := strings.Cut(o.stderr, "\nhint: ")
	again, _, _ = strings.Cut(again, "\n")
	if o.code != 65 || !strings.HasPrefix(again, "banger-fetch ") {
		t.Fatalf("exit %d, %s", o.code, o.stderr)
	}
	output(t, u.command("sh", "-c", again))
	bundle := output(t, u.command("banger-flatten", line))
	rootfs := output(t, u.command("banger-mkext4", bundle))
	output(t, u.command("banger-verify", rootfs))
	harm()
	hinted("banger-verify", rootfs)
	hinted("banger-verify", "--against", u.cache(), rootfs)
}

// damage rewrites a file in place.
func damage(t testing.TB, path string, harm func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, harm(b), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCacheOffline checks that a cached image is fetched without the registry
// by digest, but not by tag.
func TestCacheOffline(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	img := smallImage(t)
	tag := reg.push(t, "small:1", img)
	_, _, digest := digests(t, img)
	byDigest := reg.host + "/small@" + digest
	output(t, u.command("banger-fetch", tag))
	reg.server.CloseClientConnections()
	reg.server.Close()
	line := output(t, u.command("banger-fetch", byDigest))
	if !strings.HasPrefix(line, u.cache()+":") || !strings.HasSuffix(line, "@"+digest) {
		t.Errorf("printed %q", line)
	}
	output(t, u.command("banger-flatten", "-C", u.place(t), line))
	finish(t, u.command("banger-fetch", "--retry-for", "0", tag)).failed(t, []int{75}, "banger-fetch: "+tag+": ")
	cacheGood(t, u.cache())
}

// TestCacheTags moves a tag, and gives an image a second name.
func TestCacheTags(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	old, now := smallImage(t), smallVariant(t, 1)
	_, _, oldDigest := digests(t, old)
	_, _, nowDigest := digests(t, now)
	ref := reg.push(t, "small:1", old)
	output(t, u.command("banger-fetch", ref))
	reg.push(t, "small:1", now)
	output(t, u.command("banger-fetch", ref))
	listed(t, u, oldDigest+" ", nowDigest+" "+ref)

	second := reg.push(t, "again:2", now)
	output(t, u.command("banger-fetch", second, ref))
	listed(t, u, oldDigest+" ", nowDigest+" "+ref, nowDigest+" "+second)
}

// listed fails the test unless the cache lists exactly these digests and names.
func listed(t testing.TB, u user, want ...string) {
	t.Helper()
	got := cacheGood(t, u.cache())
	for _, line := range want {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("not listed: %s", line)
		}
	}
	if n := strings.Count(got, "\n"); n != len(want) {
		t.Errorf("%d entries, want %d:\n%s", n, len(want), got)
	}
}

// TestCacheShared fetches one image with eight processes at a time, while
// skopeo reads another from the cache.
func TestCacheShared(t *testing.T) {
	need(t, "skopeo")
	const processes = 8
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	cached := reg.push(t, "cached:1", smallVariant(t, 1))
	output(t, u.command("banger-fetch", cached))
	ref := reg.push(t, "small:1", smallVariant(t, 2))
	asked, release := new(atomic.Int32), make(chan struct{})
	reg.misbehave(onGet(ownLayer(t, 2), counted(asked, hold(release))))
	var ends []func() outcome
	for range processes {
		ends = append(ends, begin(t, u.command("banger-fetch", ref)))
	}
	await(t, "a fetch to be in the middle of a blob", func() bool { return asked.Load() > 0 })
	readable(t, u, cached, smallVariant(t, 1))
	close(release)
	readable(t, u, cached, smallVariant(t, 1))
	for _, end := range ends {
		if o := end(); o.code != 0 || o.stderr != "" {
			t.Errorf("exit status %d\n%s", o.code, o.stderr)
		}
	}
	readable(t, u, ref, smallVariant(t, 2))
	cacheGood(t, u.cache())
	nothingLeft(t, u.home)
}

// counted counts the requests that reach a fault.
func counted(n *atomic.Int32, f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, honest *httptest.ResponseRecorder) bool {
		n.Add(1)
		return f(w, r, honest)
	}
}

// ownLayer returns the digest of the layer that only smallVariant n has.
func ownLayer(t testing.TB, n int) string {
	t.Helper()
	m, err := smallVariant(t, n).Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return m.Layers[len(m.Layers)-1].Digest.String()
}

// readable fails the test unless skopeo finds an image in the cache by name.
func readable(t testing.TB, u user, ref string, img v1.Image) {
	t.Helper()
	got := skopeo(t, "inspect", "--format", "{{.Digest}}", "oci:"+u.cache()+":"+ref)
	if _, _, want := digests(t, img); got != want {
		t.Errorf("skopeo finds %s under %s, want %s", got, ref, want)
	}
}
