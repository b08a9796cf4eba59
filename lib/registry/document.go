// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/input"
	"banger/lib/layout"
	"banger/lib/status"
	"banger/lib/transfer"
)

// A document is a manifest or an index as a host sent it.
type document struct {
	v1.Descriptor
	raw []byte // nil if only the descriptor was asked for
}

// ask calls f with one host after the other until it succeeds, and repeats it for the
// last one as long as that may help.
func (p *pull) ask(ctx context.Context, all []*client, f func(c *client) error) error {
	for _, c := range all[:len(all)-1] {
		if c.isDead() {
			continue
		}
		err := f(c)
		if err == nil || ctx.Err() != nil {
			return err
		}
		p.log(c.name(), err)
	}
	last := all[len(all)-1]
	tries := p.Retry.Start()
	for {
		err := f(last)
		var failed *transfer.Error
		if !errors.As(err, &failed) || failed.Kind != transfer.Temporary {
			return err
		}
		if p.Retry.For > 0 {
			p.repeated(last.name(), err)
		}
		if err := tries.Wait(ctx, err, failed.After); err != nil {
			return err
		}
	}
}

// capable returns the hosts that may do something; the last of them is that of which
// the errors count.
func (p *pull) capable(what string, may func(c *client) bool) (all []*client, err error) {
	for _, c := range p.clients {
		if may(c) {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil, status.Errorf(status.Usage, "hosts.toml has no host for %s with the capability %q", p.ref.Context().RegistryStr(), what)
	}
	return all, nil
}

// resolve returns the document that a tag names. Its content is not there if a host
// was asked with HEAD, because the layout knows the tag or nothing may be pulled from
// the host.
func (p *pull) resolve(ctx context.Context, tag string) (d document, err error) {
	all, err := p.capable("resolve", func(c *client) bool { return c.host.Resolve })
	if err != nil {
		return d, err
	}
	known := p.tagged(new(document))
	err = p.ask(ctx, all, func(c *client) (err error) {
		if !known && c.host.Pull {
			d, err = p.get(ctx, c, tag, "")
			return err
		}
		d, err = p.head(ctx, c, tag)
		if err != nil && (c.last || c == all[len(all)-1]) && wantsWords(err) || errors.Is(err, errNoDigest) {
			d, err = p.get(ctx, c, tag, "")
		}
		return err
	})
	return d, err
}

// errNoDigest means that the answer to a HEAD does not say which digest a tag has.
var errNoDigest = errors.New("no digest in the answer to HEAD")

// wantsWords reports whether an answer is an error, which a HEAD has no words for, and
// which may be of HEAD alone.
func wantsWords(err error) bool {
	var answer *answerError
	return errors.As(err, &answer) && !isTemporary(answer.code)
}

// An answerError is the explained error of an answer.
type answerError struct {
	error
	code int
}

func (e *answerError) Unwrap() error { return e.error }

// head asks which digest a tag has.
func (p *pull) head(ctx context.Context, c *client, tag string) (d document, err error) {
	resp, err := p.open(ctx, c, http.MethodHead, tag)
	if err != nil {
		return d, err
	}
	resp.Body.Close()
	d.Digest = digest.Digest(resp.Header.Get("Docker-Content-Digest"))
	if d.Digest.Validate() != nil || d.Digest.Algorithm() != digest.SHA256 {
		return d, errNoDigest
	}
	return d, nil
}

// getDigest fetches a document by digest.
func (p *pull) getDigest(ctx context.Context, want digest.Digest) (d document, err error) {
	if want.Algorithm() != digest.SHA256 {
		return d, status.Errorf(status.Bad, "%s: unsupported digest algorithm, not sha256", want)
	}
	if err := p.to.CheckPlace(want); err != nil {
		return d, err
	}
	all, err := p.capable("pull", func(c *client) bool { return c.host.Pull })
	if err != nil {
		return d, err
	}
	err = p.ask(ctx, all, func(c *client) (err error) {
		d, err = p.get(ctx, c, string(want), want)
		return err
	})
	return d, err
}

// get fetches a document by a tag or digest. If want is not empty, it must have that
// digest.
func (p *pull) get(ctx context.Context, c *client, reference string, want digest.Digest) (d document, err error) {
	resp, err := p.open(ctx, c, http.MethodGet, reference)
	if err != nil {
		return d, err
	}
	defer resp.Body.Close()
	if resp.ContentLength > input.MaxDocument {
		return d, p.failed(ctx, c, refuse("document of %d bytes too large (limit %d)", resp.ContentLength, input.MaxDocument))
	}
	d.raw, err = io.ReadAll(http.MaxBytesReader(nil, resp.Body, input.MaxDocument))
	if err != nil {
		return d, p.failed(ctx, c, err)
	}
	d.Size = int64(len(d.raw))
	d.Digest = digest.FromBytes(d.raw)
	if want != "" && d.Digest != want {
		return d, p.failed(ctx, c, refuse("%s: digest mismatch", want))
	}
	d.MediaType = layout.MediaType(resp.Header.Get("Content-Type"), d.raw)
	return d, nil
}

// open requests a manifest or an index. An error is a *transfer.Error.
func (p *pull) open(ctx context.Context, c *client, method, reference string) (*http.Response, error) {
	repository := p.ref.Context().RepositoryStr()
	resp, _, err := c.send(ctx, request{
		method: method, path: repository + "/manifests/" + reference, scope: p.scope(),
		accept: strings.Join(layout.DocumentTypes(), ", "), via: c.documents,
	})
	if err == nil {
		err = check(resp, http.StatusOK)
	}
	if err != nil {
		return nil, p.failed(ctx, c, err)
	}
	return resp, nil
}

// failed explains an error of a host.
func (p *pull) failed(ctx context.Context, c *client, err error) error {
	var answer *transport.Error
	explained := c.failure(ctx, p.scope(), err)
	if f := (*transfer.Error)(nil); errors.As(explained, &f) {
		if len(p.clients) > 1 {
			f.Err = fmt.Errorf("%s: %w", c.name(), f.Err)
		}
		if errors.As(err, &answer) {
			f.Err = &answerError{f.Err, answer.StatusCode}
		}
	}
	return explained
}

func (p *pull) scope() string { return pullScope(p.ref.Context().RepositoryStr()) }
