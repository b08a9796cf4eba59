// SPDX-License-Identifier: Apache-2.0

package faultproxy

import (
	"net/http"
	"net/url"
	"strconv"
	"sync"
)

// addresses are the signed addresses of blobs, by their signatures.
type addresses struct {
	mu    sync.Mutex
	given int
	valid map[string]string // the path of the blob
}

// sign returns the signature for a blob.
func (a *addresses) sign(path string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.given++; a.valid == nil {
		a.valid = map[string]string{}
	}
	signature := "signature-secret-" + strconv.Itoa(a.given)
	a.valid[signature] = path
	return signature
}

func (a *addresses) path(signature string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.valid[signature]
}

func (a *addresses) expire(signature string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.valid, signature)
}

// redirect sends a client to the blob's signed address on the second host.
func (p *Proxy) redirect(w http.ResponseWriter, r *http.Request) {
	query := url.Values{"signature": {p.signed.sign(r.URL.Path)}}
	http.Redirect(w, r, p.scheme()+"://"+p.hosts[1]+"/blob?"+query.Encode(), http.StatusTemporaryRedirect)
}

// serveSigned answers a request to the second host.
func (p *Proxy) serveSigned(w http.ResponseWriter, r *http.Request) {
	path := p.signed.path(r.URL.Query().Get("signature"))
	if path == "" {
		http.Error(w, "expired", http.StatusForbidden)
		return
	}
	p.forward(w, r, path)
}

// CDNHost returns the address and port of the second host.
func (p *Proxy) CDNHost() string { return p.hosts[1] }

// ExpireAddress makes the address of the request invalid and answers 403. An answer of
// the registry itself is left as it is.
func ExpireAddress(x *exchange) {
	signature := x.r.URL.Query().Get("signature")
	if signature == "" {
		x.header(x.resp.StatusCode)
		x.body(x.to)
		return
	}
	x.p.signed.expire(signature)
	http.Error(x.w, "expired", http.StatusForbidden)
}
