// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"banger/lib/status"
)

// A pulled kernel has the parts that were packed, under the entry's name.
func TestPull(t *testing.T) {
	packed, want := pack(t, release)
	u := newUser(t, entryOf(packed), serve(packed))
	k, err := u.pull()
	if err != nil {
		t.Fatal(err)
	}
	if k.Name != "k" || k.Release != release || k.Arch != "amd64" || k.Distro != "void" || k.Source != "k.tar" || k.Added.IsZero() {
		t.Errorf("%+v", k.KernelRecord)
	}
	if len(k.SHA256) != 3 || !maps.Equal(k.SHA256, want.SHA256) {
		t.Errorf("parts %v, packed %v", k.SHA256, want.SHA256)
	}
	if got := u.kernels(t); got != "kernels/k" {
		t.Errorf("among the kernels: %s", got)
	}
	if size := int64(len(packed)); u.said.Load() != size || u.got.Load() != size {
		t.Errorf("progress: %d of %d bytes, they are %d", u.got.Load(), u.said.Load(), size)
	}
}

// Paths in a catalog on disk are relative to it.
func TestPullFile(t *testing.T) {
	packed, want := pack(t, release)
	u := newUser(t, Entry{}, answer(http.StatusNotFound))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sub/k.tar"), packed)
	e := entryOf(packed)
	e.TarballURL = "sub/k.tar"
	write(t, filepath.Join(dir, "kernels.json"), document(t, e))
	k, err := u.Pull(context.Background(), filepath.Join(dir, "kernels.json"), "k")
	if err != nil || !maps.Equal(k.SHA256, want.SHA256) {
		t.Errorf("%+v, %v", k, err)
	}
	if asked := u.asked.Load(); asked > 0 {
		t.Errorf("the web server was asked %d times", asked)
	}
}

// Each failure names the kernel and the cause, and leaves nothing.
func TestPullFails(t *testing.T) {
	packed, _ := pack(t, release)
	same := func(*Entry) {}
	for name, c := range map[string]struct {
		damage func(*Entry)
		answer http.HandlerFunc
		code   status.Code
		words  string
	}{
		"not there":         {same, answer(http.StatusNotFound), status.NoInput, "k.tar: server answered with status 404"},
		"not allowed":       {same, answer(http.StatusUnauthorized), status.Refused, "401"},
		"too often":         {same, answer(http.StatusTooManyRequests), status.Temporary, "429"},
		"in trouble":        {same, answer(http.StatusServiceUnavailable), status.Temporary, "503"},
		"an empty answer":   {same, serve(nil), status.Bad, "0 bytes, not the"},
		"cut":               {same, cut(packed), status.Temporary, "connection cut"},
		"silent":            {same, silent(nil), status.Temporary, "silent"},
		"silent half way":   {same, silent(packed[:len(packed)/2]), status.Temporary, "silent"},
		"silent at the end": {same, silent(packed), status.Temporary, "silent"},
		"longer":            {same, serve(append(packed[:len(packed):len(packed)], 0)), status.Bad, "longer than the"},
		"longer than said":  {func(e *Entry) { e.SizeBytes-- }, serve(packed), status.Bad, "longer than the"},
		"endless":           {same, endless, status.Bad, "longer than the"},
		"shorter":           {same, serve(packed[:len(packed)-1]), status.Bad, "bytes, not the"},
		"shorter than said": {func(e *Entry) { e.SizeBytes++ }, serve(packed), status.Bad, "bytes, not the"},
		"other bytes": {func(e *Entry) { e.TarballSHA256 = strings.Repeat("0", 64) }, serve(packed),
			status.Bad, "SHA-256 differs"},
		"for another arch":    {func(e *Entry) { e.Arch = "arm64" }, serve(packed), status.Bad, "kernel is for amd64, not arm64"},
		"another kernel":      {func(e *Entry) { e.KernelVersion = "9.9" }, serve(packed), status.Bad, "kernel release is 6.1.0-test, not 9.9"},
		"a damaged entry":     {func(e *Entry) { e.KernelVersion = "" }, serve(packed), status.Bad, "no kernel_version"},
		"nobody on that port": {func(e *Entry) { e.TarballURL = "http://127.0.0.1:1/k.tar" }, serve(packed), status.Temporary, "127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			e := entryOf(packed)
			c.damage(&e)
			u := newUser(t, e, c.answer)
			_, err := u.pull()
			if status.Of(err) != c.code || !strings.HasPrefix(err.Error(), "k: ") || !strings.Contains(err.Error(), c.words) {
				t.Errorf("status %d, %v; want %d, %s", status.Of(err), err, c.code, c.words)
			}
			if got := u.kernels(t); got != "" {
				t.Errorf("left %s", got)
			}
		})
	}
}

// Bytes that match the catalog need not be a kernel.
func TestPullNoKernel(t *testing.T) {
	two := parts(release)
	two["vmlinux-other"] = parts("6.2")["vmlinux"]
	huge := append([]byte("\x28\xb5\x2f\xfd"), strings.Repeat("\xff", 100)...)
	for name, c := range map[string]struct {
		archive []byte
		words   string
	}{
		"text":              {[]byte("<html>not found</html>"), "k.tar: "},
		"damaged zstd":      {huge, "k.tar: "},
		"a tar without one": {tarOf(t, fstest.MapFS{"README": {Data: []byte("x")}}), "no kernel in it"},
		"a tar with two":    {tarOf(t, two), "several kernels in it"},
		"an empty tar":      {tarOf(t, nil), "no kernel in it"},
	} {
		u := newUser(t, entryOf(c.archive), serve(c.archive))
		if _, err := u.pull(); status.Of(err) != status.Bad || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: status %d, %v; want %s", name, status.Of(err), err, c.words)
		}
		if got := u.kernels(t); got != "" {
			t.Errorf("%s: left %s", name, got)
		}
	}
}

// An interrupted pull leaves nothing.
func TestPullInterrupted(t *testing.T) {
	packed, _ := pack(t, release)
	ctx, cancel := context.WithCancel(context.Background())
	u := newUser(t, entryOf(packed), func(w http.ResponseWriter, r *http.Request) {
		w.Write(packed[:len(packed)/2])
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	if _, err := u.Pull(ctx, u.catalog, "k"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if got := u.kernels(t); got != "" {
		t.Errorf("left %s", got)
	}
}

// An existing kernel is replaced only on request, and only by a complete one.
func TestPullOver(t *testing.T) {
	packed, _ := pack(t, release)
	reply := serve(packed)
	u := newUser(t, entryOf(packed), func(w http.ResponseWriter, r *http.Request) { reply(w, r) })
	first, err := u.pull()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.pull(); status.Of(err) != status.Create || !strings.Contains(err.Error(), "exists") || u.asked.Load() != 1 {
		t.Errorf("over a kernel: asked %d times, %v", u.asked.Load(), err)
	}
	u.Replace, reply = true, cut(packed)
	if _, err := u.pull(); status.Of(err) != status.Temporary {
		t.Errorf("cut: %v", err)
	}
	if k, err := u.store.Kernel("k"); err != nil || !k.Added.Equal(first.Added) {
		t.Errorf("what was there: %+v, %v", k, err)
	}
	reply = serve(packed)
	if k, err := u.pull(); err != nil || !k.Added.After(first.Added) {
		t.Errorf("in its place: %+v, %v", k, err)
	}
	if got := u.kernels(t); got != "kernels/k" {
		t.Errorf("among the kernels: %s", got)
	}
}

// What banger did not make is not replaced, and nothing is requested for it.
func TestPullOverAnothers(t *testing.T) {
	packed, _ := pack(t, release)
	u := newUser(t, entryOf(packed), serve(packed))
	u.Replace = true
	write(t, filepath.Join(u.state, "kernels/k/thesis.txt"), []byte("x"))
	if _, err := u.pull(); status.Of(err) != status.Create || u.asked.Load() > 0 {
		t.Errorf("asked %d times: %v", u.asked.Load(), err)
	}
	if got := u.kernels(t); got != "kernels/k" {
		t.Errorf("among the kernels: %s", got)
	}
}

// No catalog has the name, or there is no catalog.
func TestPullUnknown(t *testing.T) {
	u := newUser(t, Entry{Name: "other"}, answer(http.StatusNotFound))
	for where, code := range map[string]status.Code{u.catalog: status.NoInput, u.catalog + ".none": status.NoInput} {
		if _, err := u.Pull(context.Background(), where, "k"); status.Of(err) != code || !strings.HasPrefix(err.Error(), "k: ") {
			t.Errorf("%s: %v", where, err)
		}
	}
	if _, err := u.pull(); !errors.Is(err, ErrNotOffered) || !strings.HasSuffix(err.Error(), "which has other") {
		t.Errorf("%v, hint %q", err, status.HintOf(err))
	}
	if got := u.kernels(t); got != "" {
		t.Errorf("left %s", got)
	}
}

// cut answers with half of the announced bytes.
func cut(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Write(b[:len(b)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// silent stops after some bytes without closing the connection.
func silent(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Write(b)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return
		}
	}
}
