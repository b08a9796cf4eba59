// SPDX-License-Identifier: Apache-2.0

package faultproxy

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A Fault spoils answers to GET requests for one blob or manifest that include one
// byte.
type Fault struct {
	Kind  Kind
	Of    []string // one of which the path ends with: digests or tags
	At    int64    // the byte
	Times int32    // how many answers it spoils

	seen atomic.Int32
}

// A Kind answers in place of the registry, or spoils its answer.
type Kind func(x *exchange)

// Shown returns how many answers were spoiled.
func (f *Fault) Shown() int { return int(min(f.seen.Load(), f.Times)) }

// strikes reports whether the fault spoils an answer.
func (f *Fault) strikes(x *exchange) bool {
	if f == nil || x.r.Method != http.MethodGet || !slices.Contains(f.Of, x.base()) || f.At < x.from || f.At >= x.to {
		return false
	}
	x.at = f.At
	return f.seen.Add(1) <= f.Times
}

// An exchange is a request and the registry's answer.
type exchange struct {
	p              *Proxy
	w              http.ResponseWriter
	r              *http.Request
	resp           *http.Response
	uri            string // of the registry: path and query
	from, to, size int64  // the answer has these bytes of size; to is exclusive
	at             int64  // where the fault is
}

func newExchange(p *Proxy, w http.ResponseWriter, r *http.Request, resp *http.Response, uri string) *exchange {
	x := &exchange{p: p, w: w, r: r, resp: resp, uri: uri}
	switch resp.StatusCode {
	case http.StatusOK:
		x.to, x.size = resp.ContentLength, resp.ContentLength
	case http.StatusPartialContent:
		fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &x.from, &x.to, &x.size)
		x.to++
	}
	return x
}

// base returns the last name of the path: a digest or a tag.
func (x *exchange) base() string {
	name, _, _ := strings.Cut(path.Base(x.uri), "?")
	return name
}

// header sends the registry's header with a status.
func (x *exchange) header(code int) {
	for name, values := range x.resp.Header {
		x.w.Header()[name] = values
	}
	x.w.WriteHeader(code)
}

// body sends the answer up to a byte.
func (x *exchange) body(to int64) {
	if _, err := io.CopyN(x.w, x.resp.Body, to-x.from); err != nil {
		panic(http.ErrAbortHandler)
	}
	x.from = to
}

// partial says that the answer has the bytes from to to, exclusive, of size.
func (x *exchange) partial(from, to, size int64) {
	x.resp.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, size))
}

// flush sends what was written before.
func (x *exchange) flush() { http.NewResponseController(x.w).Flush() }

// Cut closes the connection before the byte.
func Cut(x *exchange) {
	x.header(x.resp.StatusCode)
	x.body(x.at)
	x.flush()
	panic(http.ErrAbortHandler)
}

// Stall sends nothing from the byte on, until the client gives up.
func Stall(x *exchange) {
	x.header(x.resp.StatusCode)
	x.body(x.at)
	x.flush()
	<-x.r.Context().Done()
	panic(http.ErrAbortHandler)
}

// NoAnswer closes the connection without an answer.
func NoAnswer(*exchange) { panic(http.ErrAbortHandler) }

// Unasked sends the first frame of HTTP/2, SETTINGS (RFC 9113, section 6.5), in place
// of an answer, as load balancers do that take the client for one of HTTP/2. A client
// of HTTP/2 gets no answer.
func Unasked(x *exchange) {
	c, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer c.Close()
	c.Write([]byte("\x00\x00\x12\x04\x00\x00\x00\x00\x00" +
		"\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00\x00\x05\x00\xff\xff\xff"))
}

// Encoded says that the answer is compressed, which it is not.
func Encoded(x *exchange) {
	x.resp.Header.Set("Content-Encoding", "gzip")
	x.header(x.resp.StatusCode)
	x.body(x.to)
}

// Unavailable answers 503.
func Unavailable(x *exchange) { http.Error(x.w, "unavailable", http.StatusServiceUnavailable) }

// TooManySeconds answers 429, and asks the client to wait a second.
func TooManySeconds(x *exchange) { x.tooMany("1") }

// TooManyDate answers 429, and asks the client to wait until the second after the
// next one begins.
func TooManyDate(x *exchange) {
	x.tooMany(time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat))
}

func (x *exchange) tooMany(after string) {
	x.w.Header().Set("Retry-After", after)
	http.Error(x.w, "too many requests", http.StatusTooManyRequests)
}

// Short answers a range with fewer bytes, up to the byte, and says so in
// Content-Range. Another answer is left as it is.
func Short(x *exchange) {
	if x.resp.StatusCode == http.StatusPartialContent {
		x.partial(x.from, x.at+1, x.size)
		x.resp.Header.Set("Content-Length", strconv.FormatInt(x.at+1-x.from, 10))
		x.to = x.at + 1
	}
	x.header(x.resp.StatusCode)
	x.body(x.to)
}

// WrongRange answers with 206 and a Content-Range that begins a byte later than the
// body.
func WrongRange(x *exchange) {
	x.partial(x.from+1, x.to+1, x.size)
	x.header(http.StatusPartialContent)
	x.body(x.to)
}

// WrongLength answers with a blob that has a byte more, as its header says.
func WrongLength(x *exchange) {
	if x.resp.StatusCode == http.StatusPartialContent {
		x.partial(x.from, x.to, x.size+1)
	} else {
		x.resp.Header.Set("Content-Length", strconv.FormatInt(x.size+1, 10))
	}
	x.header(x.resp.StatusCode)
	x.body(x.to)
	if x.resp.StatusCode == http.StatusOK {
		x.w.Write([]byte{0})
	}
}

// IgnoreRange answers a range with the whole blob.
func IgnoreRange(x *exchange) {
	x.r.Header.Del("Range")
	resp, err := x.p.ask(x.r, x.uri)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	x = newExchange(x.p, x.w, x.r, resp, x.uri)
	x.header(resp.StatusCode)
	x.body(x.to)
}

// NotSatisfiable answers 416 to a range. Another answer is left as it is.
func NotSatisfiable(x *exchange) {
	if x.resp.StatusCode == http.StatusPartialContent {
		http.Error(x.w, "range not satisfiable", http.StatusRequestedRangeNotSatisfiable)
		return
	}
	x.header(x.resp.StatusCode)
	x.body(x.to)
}

// Flip inverts a bit of the byte.
func Flip(x *exchange) {
	x.header(x.resp.StatusCode)
	x.body(x.at)
	var b [1]byte
	if _, err := io.ReadFull(x.resp.Body, b[:]); err != nil {
		panic(http.ErrAbortHandler)
	}
	x.w.Write([]byte{b[0] ^ 1})
	x.from++
	x.body(x.to)
}
