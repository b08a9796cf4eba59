// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

const (
	tebibyte    = 1 << 40
	maxDocument = 4 << 20 // the tools' limit
)

// reword changes a JSON document in the response.
func reword[T any](change func(*T)) fault {
	return rewrite(func(body []byte) []byte {
		var document T
		if err := json.Unmarshal(body, &document); err != nil {
			panic(err)
		}
		change(&document)
		body, err := json.Marshal(document)
		if err != nil {
			panic(err)
		}
		return body
	})
}

// endless sends zeros until the client disconnects, without a length.
func endless(w http.ResponseWriter, r *http.Request, honest *httptest.ResponseRecorder) bool {
	header := honest.Header().Clone()
	header.Del("Content-Length")
	send(w, http.StatusOK, header, nil)
	zeros := make([]byte, 1<<20)
	for r.Context().Err() == nil {
		if _, err := w.Write(zeros); err != nil {
			break
		}
	}
	panic(http.ErrAbortHandler)
}

// both combines two faults.
func both(a, b fault) fault {
	return func(w http.ResponseWriter, r *http.Request, honest *httptest.ResponseRecorder) bool {
		return a(w, r, honest) || b(w, r, honest)
	}
}

// TestFetchSizes makes a registry state sizes that are invalid or too large,
// and send as much as the client takes. No blob is requested, and the message
// names the document, its size and the limit.
func TestFetchSizes(t *testing.T) {
	layer, config, manifest := digests(t, smallImage(t))
	large := []string{"1099511627776", "4194304"}
	anyBlob := func(w http.ResponseWriter, r *http.Request, honest *httptest.ResponseRecorder) bool {
		return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && endless(w, r, honest)
	}
	for name, c := range map[string]struct {
		tag   string
		fault fault
		words []string
	}{
		"config": {"1", reword(func(m *v1.Manifest) { m.Config.Size = tebibyte }), append(large, config)},
		"config just too large": {"1", reword(func(m *v1.Manifest) { m.Config.Size = maxDocument + 1 }),
			[]string{"4194305", "4194304", config}},
		"config below zero": {"1", reword(func(m *v1.Manifest) { m.Config.Size = -1 }), []string{config, "-1"}},
		"layer below zero":  {"1", reword(func(m *v1.Manifest) { m.Layers[0].Size = -1 }), []string{layer, "-1"}},
		"manifest in an index": {"list", reword(func(m *v1.IndexManifest) { m.Manifests[0].Size = tebibyte }),
			append(large, manifest)},
		"manifest with length":    {"1", claim("1099511627776"), large},
		"manifest without length": {"1", endless, large[1:]},
		"index with length":       {"list", claim("1099511627776"), large},
		"index without length":    {"list", endless, large[1:]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg, u := newFaultRegistry(t), newUser(t, nobody)
			reg.push(t, "small:1", smallImage(t))
			reg.pushIndex(t, "small:list", mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
				Add: smallImage(t), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
			}))
			reg.misbehave(both(onGet(c.tag, c.fault), anyBlob))
			ref := reg.host + "/small:" + c.tag
			finish(t, u.command("banger-fetch", ref)).failed(t, []int{65}, "banger-fetch: "+ref+": ", c.words...)
			if n := reg.fetched(layer) + reg.fetched(config) + reg.fetched(manifest); n > 0 {
				t.Errorf("%d were asked for", n)
			}
			if listed := cacheGood(t, u.cache()); listed != "" {
				t.Errorf("listed: %s", listed)
			}
			nothingLeft(t, u.home)
		})
	}
}

// claim states a length but sends the honest answer.
func claim(length string) fault {
	return func(w http.ResponseWriter, _ *http.Request, honest *httptest.ResponseRecorder) bool {
		header := honest.Header().Clone()
		header.Set("Content-Length", length)
		send(w, honest.Code, header, honest.Body.Bytes())
		return true
	}
}

// TestFetchSpace fetches an image whose layers do not fit on the disk: the
// error comes before the first byte of a layer.
func TestFetchSpace(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	ref := reg.push(t, "small:1", smallImage(t))
	layer, _, _ := digests(t, smallImage(t))
	reg.misbehave(both(onGet("1", reword(func(m *v1.Manifest) {
		for i := range m.Layers {
			m.Layers[i].Size = 1 << 61
		}
	})), onGet(layer, endless)))
	o := finish(t, u.command("banger-fetch", ref))
	o.failed(t, []int{73}, "banger-fetch: "+ref+": ", u.cache(), "no space left")
	if n := reg.fetched(layer); n > 0 {
		t.Errorf("the layer was asked for %d times", n)
	}
	nothingLeft(t, u.home)
}

// TestFlattenSizes checks that a manifest of exactly the maximum size is
// fetched and read from the layout.
func TestFlattenSizes(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	ref := reg.push(t, "small:1", smallImage(t))
	_, _, manifest := digests(t, smallImage(t))
	pad := rewrite(func(body []byte) []byte {
		return append(bytes.TrimSpace(body), bytes.Repeat([]byte(" "), maxDocument-len(bytes.TrimSpace(body)))...)
	})
	reg.misbehave(onGet("1", pad))
	line := output(t, u.command("banger-fetch", ref))
	if strings.HasSuffix(line, manifest) {
		t.Errorf("not padded: %s", line)
	}
	output(t, u.command("banger-flatten", line))
}
