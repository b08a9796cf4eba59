// SPDX-License-Identifier: Apache-2.0

package faultproxy

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

const (
	size = 300_000
	at   = 123_456 // where faults are
)

// content is a blob of the registry.
var content = func() []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

// start starts a proxy in front of a registry with one blob.
func start(t *testing.T, p *Proxy) *Proxy {
	t.Helper()
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(registry.Close)
	p.Registry = registry.URL
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// get requests bytes of the blob, or all if to is 0, and describes the answer.
func (p *Proxy) get(t *testing.T, from, to int64) (body []byte, text string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, p.URL()+"/v2/app/blobs/x?ns=a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if to > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}, Timeout: time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "no answer"
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	text = fmt.Sprintf("%d, %d bytes", resp.StatusCode, len(body))
	if r := resp.Header.Get("Content-Range"); r != "" {
		text += ", " + r
	}
	if e := resp.Header.Get("Content-Encoding"); e != "" {
		text += ", " + e
	}
	if err != nil {
		text += ", cut"
	}
	return body, text
}

// Each fault is shown once, to the request that includes the byte, and the next
// answer is the registry's.
func TestFaults(t *testing.T) {
	const from, to = 100_000, 200_000
	for name, c := range map[string]struct {
		kind Kind
		want string
	}{
		"cut":         {Cut, "206, 23456 bytes, bytes 100000-199999/300000, cut"},
		"stall":       {Stall, "206, 23456 bytes, bytes 100000-199999/300000, cut"},
		"no answer":   {NoAnswer, "no answer"},
		"unasked":     {Unasked, "no answer"},
		"encoded":     {Encoded, "206, 100000 bytes, bytes 100000-199999/300000, gzip"},
		"unavailable": {Unavailable, "503, 12 bytes"},
		"too many":    {TooManySeconds, "429, 18 bytes"},
		"date":        {TooManyDate, "429, 18 bytes"},
		"short":       {Short, "206, 23457 bytes, bytes 100000-123456/300000"},
		"range":       {WrongRange, "206, 100000 bytes, bytes 100001-200000/300000"},
		"length":      {WrongLength, "206, 100000 bytes, bytes 100000-199999/300001"},
		"ignored":     {IgnoreRange, "200, 300000 bytes"},
		"416":         {NotSatisfiable, "416, 22 bytes"},
		"flipped":     {Flip, "206, 100000 bytes, bytes 100000-199999/300000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, &Proxy{Fault: &Fault{Kind: c.kind, Of: []string{"x"}, At: at, Times: 1}})
			if _, got := p.get(t, 0, from); got != "206, 100000 bytes, bytes 0-99999/300000" {
				t.Errorf("elsewhere: %s", got)
			}
			body, got := p.get(t, from, to)
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if name == "flipped" {
				body[at-from] ^= 1
				if !bytes.Equal(body, content[from:to]) {
					t.Error("more than one bit differs")
				}
			}
			if body, got := p.get(t, 0, 0); got != "200, 300000 bytes" || !bytes.Equal(body, content) {
				t.Errorf("afterwards: %s", got)
			}
			if p.Fault.Shown() != 1 || p.Conns() != 3 || len(p.Requests()) != 3 {
				t.Errorf("shown %d, %d connections, %d requests", p.Fault.Shown(), p.Conns(), len(p.Requests()))
			}
		})
	}
}

// Bytes are counted as they are written, and the alarm is at the byte.
func TestWire(t *testing.T) {
	p := start(t, &Proxy{Rate: 2 << 20})
	var rang int64
	p.AtWire(at, func() { rang = p.Wire() })
	began := time.Now()
	if _, got := p.get(t, 0, 0); got != "200, 300000 bytes" {
		t.Error(got)
	}
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("%d bytes in %v", size, took)
	}
	if n := p.Wire(); n < size || n > size+1000 || rang < at || rang >= at+chunk {
		t.Errorf("%d bytes, alarm at %d", n, rang)
	}
	if r := p.Requests()[0]; r.Status != http.StatusOK || r.Bytes != size || r.Method != http.MethodGet {
		t.Errorf("%+v", r)
	}
}

// A token is required and given. It, and the address of a blob, can expire.
func TestExpiry(t *testing.T) {
	p := start(t, &Proxy{CDN: true, Fault: &Fault{Kind: ExpireAddress, Of: []string{"x"}, At: at, Times: 1}})
	for _, want := range []string{"403, 8 bytes", "200, 300000 bytes"} {
		if _, got := p.get(t, 0, 0); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	p = start(t, &Proxy{Tokens: &Tokens{}, Fault: &Fault{Kind: ExpireToken, Of: []string{"x"}, At: at, Times: 1}})
	resp, err := http.Get(p.URL() + "/token")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for _, want := range []int{http.StatusUnauthorized, http.StatusUnauthorized} {
		req, _ := http.NewRequest(http.MethodGet, p.URL()+"/v2/app/blobs/x", nil)
		req.Header.Set("Authorization", "Bearer bearer-secret-1")
		if resp, err = http.DefaultClient.Do(req); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || resp.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s", resp.Status)
		}
	}
	if p.Fault.Shown() != 1 || p.Tokens.Given() != 1 {
		t.Error("the token did not expire")
	}
}
