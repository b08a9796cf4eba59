// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/transfer"
)

const (
	maxExpired = 3       // how often a host is asked for another URL without progress
	progressOf = 1 << 20 // bytes that are progress
)

// A blobHost serves one blob from one host, as transfer.Host.
type blobHost struct {
	*client
	pull *pull
	blob v1.Descriptor

	mu       sync.Mutex
	target   *url.URL // where the host redirects to, nil if it is not known
	expired  int      // how often such a URL expired since the last progress
	received int64    // bytes since then, less than progressOf
}

func (h *blobHost) Name() string { return h.name() }

// Open implements transfer.Host.
func (h *blobHost) Open(ctx context.Context, from, to int64) (*transfer.Answer, error) {
	r := request{
		method: http.MethodGet, scope: h.pull.scope(), via: h.blobs,
		path: h.pull.ref.Context().RepositoryStr() + "/blobs/" + string(h.blob.Digest),
	}
	if from > 0 || to < h.blob.Size {
		r.ranged = "bytes=" + strconv.FormatInt(from, 10) + "-" + strconv.FormatInt(to-1, 10)
	}
	resp, err := h.request(ctx, r)
	if err != nil {
		if isNoRanges(err) {
			return nil, &transfer.Error{Kind: transfer.NoRanges, Err: explain(err)}
		}
		return nil, h.pull.failed(ctx, h.client, err)
	}
	answer := &transfer.Answer{Body: &blobBody{resp.Body, h, ctx}, Whole: resp.StatusCode == http.StatusOK}
	if answer.Whole {
		answer.Size = max(resp.ContentLength, 0)
	} else {
		answer.From, answer.To, answer.Size = contentRange(resp.Header.Get("Content-Range"))
	}
	return answer, nil
}

// request asks where the blob was last redirected to, else the registry. It asks the
// registry again if that URL has expired.
func (h *blobHost) request(ctx context.Context, r request) (*http.Response, error) {
	for {
		asked := h.known()
		resp, target, err := h.sendTo(ctx, r, asked)
		if err != nil {
			return nil, err
		}
		if target == nil || !isExpired(resp.StatusCode) {
			if err := check(resp, http.StatusOK, http.StatusPartialContent); err != nil {
				return nil, err
			}
			h.remember(target)
			return resp, nil
		}
		if err := check(resp, http.StatusOK); !h.forget(asked) {
			return nil, err
		}
	}
}

// sendTo sends a request to the URL asked, or if that is nil to the registry. It
// returns the URL that answered, nil for the registry itself.
func (h *blobHost) sendTo(ctx context.Context, r request, asked *url.URL) (*http.Response, *url.URL, error) {
	if asked != nil {
		return h.follow(ctx, r, asked, h.auth.grant(r.scope).text())
	}
	resp, to, err := h.send(ctx, r)
	if err == nil && to.Host == h.host.URL.Host && to.Path == h.url(r).Path {
		to = nil
	}
	return resp, to, err
}

// isExpired reports whether the answer of the host that a blob was redirected to means
// that the URL is no longer valid.
func isExpired(code int) bool {
	return code == http.StatusUnauthorized || code == http.StatusForbidden || code == http.StatusGone
}

func isNoRanges(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && answer.StatusCode == http.StatusRequestedRangeNotSatisfiable
}

func (h *blobHost) known() *url.URL {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.target
}

func (h *blobHost) remember(target *url.URL) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.target = target
}

// forget forgets the URL asked, as known returned it, that has expired; nil stands for
// one that the registry has just redirected to. It reports whether the registry is to
// be asked for another one.
func (h *blobHost) forget(asked *url.URL) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if asked != nil {
		if asked != h.target {
			return true // another request has found that out
		}
		h.target = nil
	}
	h.expired++
	return h.expired <= maxExpired
}

// progress counts the bytes that arrive.
func (h *blobHost) progress(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.received += int64(n); h.received >= progressOf {
		h.received, h.expired = 0, 0
	}
}

// A blobBody is the body of an answer.
type blobBody struct {
	io.ReadCloser
	host *blobHost
	ctx  context.Context
}

func (b *blobBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.host.progress(n)
	if err != nil && err != io.EOF {
		err = b.host.pull.failed(b.ctx, b.host.client, err)
	}
	return n, err
}

var rangeField = regexp.MustCompile(`^bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$`)

// contentRange returns the range of a field Content-Range (RFC 9110, section 14.4),
// and the size if it is known. A malformed one is no range that was asked for.
func contentRange(field string) (from, to, size int64) {
	m := rangeField.FindStringSubmatch(field)
	if m == nil {
		return -1, -1, 0
	}
	from, _ = strconv.ParseInt(m[1], 10, 64)
	last, _ := strconv.ParseInt(m[2], 10, 64)
	size, _ = strconv.ParseInt(m[3], 10, 64) // 0 for *
	return from, last + 1, size
}
