// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"banger/lib/status"
)

// get reads a file from a server.
func get(t *testing.T, ctx context.Context, silence time.Duration, answer http.HandlerFunc) (string, error) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	body, err := Get(ctx, NewTransport(silence), server.URL+"/k.tar.zst")
	if err != nil {
		return "", err
	}
	defer body.Close()
	raw, err := io.ReadAll(body)
	return string(raw), err
}

// What is served arrives byte for byte: a file that is compressed stays so, and
// a server that would compress another is asked not to.
func TestGet(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("content"))
	z.Close()
	for name, answer := range map[string]http.HandlerFunc{
		"as it is": func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				w.Header().Set("Content-Encoding", "gzip")
				w.Write([]byte("compressed"))
				return
			}
			w.Write(packed.Bytes())
		},
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/moved" {
				http.Redirect(w, r, "/moved", http.StatusFound)
				return
			}
			w.Write(packed.Bytes())
		},
		"whatever it says it is": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(packed.Bytes())
		},
	} {
		if got, err := get(t, context.Background(), time.Minute, answer); err != nil || got != packed.String() {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// What web servers answer, and what that means.
func TestGetAnswers(t *testing.T) {
	for code, want := range map[int]status.Code{
		http.StatusUnauthorized: status.Refused, http.StatusForbidden: status.Refused,
		http.StatusNotFound: status.NoInput, http.StatusGone: status.NoInput,
		http.StatusTooManyRequests: status.Temporary, http.StatusInternalServerError: status.Temporary,
		http.StatusServiceUnavailable: status.Temporary, http.StatusNoContent: status.Failed, http.StatusTeapot: status.Failed,
	} {
		_, err := get(t, context.Background(), time.Minute, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		if status.Of(err) != want || !strings.Contains(err.Error(), strings.ToLower(http.StatusText(code))) {
			t.Errorf("%d: status %d, %v; want %d", code, status.Of(err), err, want)
		}
	}
}

// What goes wrong on the wire is an error of reading, and may go better later.
func TestGetFails(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		words  string
	}{
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write(make([]byte, 50))
		}, "connection cut"},
		"cut, of no known length": {func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, 50))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "connection cut"},
		"cut before the answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection cut"},
		"silent from the start": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, errSilent.Error()},
		"silent in the middle": {func(w http.ResponseWriter, r *http.Request) {
			w.Write(make([]byte, 50))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, errSilent.Error()},
	} {
		patience := time.Minute
		if c.words == errSilent.Error() {
			patience = 100 * time.Millisecond
		}
		_, err := get(t, context.Background(), patience, c.answer)
		if status.Of(err) != status.Temporary || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: status %d, %v; want %s", name, status.Of(err), err, c.words)
		}
	}
}

// A server that sends its clients in circles is left.
func TestGetLoop(t *testing.T) {
	asked := 0
	_, err := get(t, context.Background(), time.Minute, func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	})
	if status.Of(err) != status.Bad || !strings.Contains(err.Error(), "redirects") || asked > maxHops+1 {
		t.Errorf("asked %d times: status %d, %v", asked, status.Of(err), err)
	}
}

// Only who interrupts is to blame for what is interrupted.
func TestGetInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	_, err := get(t, ctx, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 50))
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	if !errors.Is(err, context.Canceled) || status.Of(err) == status.Temporary {
		t.Errorf("status %d, %v", status.Of(err), err)
	}
}

// What is no URL is not asked for.
func TestGetNowhere(t *testing.T) {
	for _, url := range []string{"http://[", "http://a b/", "http://%zz/"} {
		if _, err := Get(context.Background(), NewTransport(time.Minute), url); status.Of(err) != status.Usage {
			t.Errorf("%s: %v", url, err)
		}
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	if _, err := Get(context.Background(), NewTransport(time.Minute), closed.URL); status.Of(err) != status.Temporary {
		t.Errorf("nobody there: %v", err)
	}
}
