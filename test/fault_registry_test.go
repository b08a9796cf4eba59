// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A faultRegistry is a registry that can misbehave. It counts requests.
type faultRegistry struct {
	host   string
	server *httptest.Server

	mu    sync.Mutex
	fault fault
	gets  map[string]int
}

// A fault answers a request and returns true, or returns false to leave it to
// the honest registry, whose answer is given.
type fault func(w http.ResponseWriter, r *http.Request, honest *httptest.ResponseRecorder) bool

func newFaultRegistry(t testing.TB) *faultRegistry {
	t.Helper()
	reg := &faultRegistry{gets: map[string]int{}}
	honest := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	reg.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reg.serve(w, r, honest)
	}))
	reg.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	reg.server.Start()
	reg.host = strings.TrimPrefix(reg.server.URL, "http://")
	t.Cleanup(func() {
		reg.server.CloseClientConnections()
		reg.server.Close()
	})
	return reg
}

func (reg *faultRegistry) serve(w http.ResponseWriter, r *http.Request, honest http.Handler) {
	reg.mu.Lock()
	f := reg.fault
	if r.Method == http.MethodGet {
		reg.gets[r.URL.Path]++
	}
	reg.mu.Unlock()
	answer := httptest.NewRecorder()
	honest.ServeHTTP(answer, r)
	if f == nil || !f(w, r, answer) {
		send(w, answer.Code, answer.Header(), answer.Body.Bytes())
	}
}

func send(w http.ResponseWriter, code int, header http.Header, body []byte) {
	for k, v := range header {
		w.Header()[k] = v
	}
	w.WriteHeader(code)
	w.Write(body)
}

// misbehave sets the fault of all requests from now on, nil for none.
func (reg *faultRegistry) misbehave(f fault) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	reg.fault = f
}

// fetched returns how often a blob or manifest was requested.
func (reg *faultRegistry) fetched(digest string) (n int) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	for path, count := range reg.gets {
		if strings.HasSuffix(path, "/"+digest) {
			n += count
		}
	}
	return n
}

// push pushes an image under a name such as "app:1" and returns the full
// reference.
func (reg *faultRegistry) push(t testing.TB, short string, img v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(reg.host + "/" + short)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

// pushIndex is push for an index.
func (reg *faultRegistry) pushIndex(t testing.TB, short string, index v1.ImageIndex) string {
	t.Helper()
	ref, err := name.ParseReference(reg.host + "/" + short)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

// onGet restricts a fault to downloads of a digest or tag. The answer to a HEAD for
// that tag does not have its digest, so that the tag is downloaded.
func onGet(last string, f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, honest *httptest.ResponseRecorder) bool {
		if r.Method == http.MethodHead && !strings.Contains(last, ":") && strings.HasSuffix(r.URL.Path, "/manifests/"+last) {
			w.WriteHeader(http.StatusOK)
			return true
		}
		return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/"+last) && f(w, r, honest)
	}
}

// cut closes the connection in the middle of the body.
func cut(w http.ResponseWriter, _ *http.Request, honest *httptest.ResponseRecorder) bool {
	half(w, honest)
	panic(http.ErrAbortHandler)
}

// half sends the header and half of the body.
func half(w http.ResponseWriter, honest *httptest.ResponseRecorder) {
	body := honest.Body.Bytes()
	header := honest.Header().Clone()
	header.Set("Content-Length", strconv.Itoa(len(body)))
	send(w, honest.Code, header, body[:len(body)/2])
	w.(http.Flusher).Flush()
}

// hold answers honestly once release is closed.
func hold(release <-chan struct{}) fault {
	return func(_ http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return false
	}
}

// rewrite answers with a changed body and its correct length.
func rewrite(change func(body []byte) []byte) fault {
	return func(w http.ResponseWriter, _ *http.Request, honest *httptest.ResponseRecorder) bool {
		body := change(bytes.Clone(honest.Body.Bytes()))
		header := honest.Header().Clone()
		header.Set("Content-Length", strconv.Itoa(len(body)))
		send(w, honest.Code, header, body)
		return true
	}
}

// misstate answers with the body, and a length that is wrong by diff. If that
// is too long, the connection ends with the body.
func misstate(diff int) fault {
	return func(w http.ResponseWriter, _ *http.Request, honest *httptest.ResponseRecorder) bool {
		header := honest.Header().Clone()
		header.Set("Content-Length", strconv.Itoa(honest.Body.Len()+diff))
		send(w, honest.Code, header, honest.Body.Bytes())
		return true
	}
}

// refuse answers every request with a status and the error document of the
// distribution spec.
func refuse(code int, errorCode string, header ...string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder) bool {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		send(w, code, h, []byte(`{"errors":[{"code":"`+errorCode+`","message":"the test refuses"}]}`))
		return true
	}
}
