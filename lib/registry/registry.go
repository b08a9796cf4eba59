// SPDX-License-Identifier: Apache-2.0

// Package registry pulls images from OCI registries into a layout. It is the
// only package that uses the network.
//
// The policy:
//
//   - Hosts. The hosts of a registry, and their certificates, are those of
//     hosts.toml (package hosts). Any failure of a host that is not the last leads
//     to the next one at once: no answer, a refusal, wrong bytes. A host that cannot
//     be connected to is not asked again in this run. The error of the last host is
//     that of the pull. A tag is asked of the hosts that may resolve, everything else
//     goes by digest.
//   - Order. A tag that the layout knows is asked for with HEAD, another one with GET,
//     if the host may do both: resolve and pull. The config is fetched beside the
//     layers. If it is refused, their part files are removed.
//   - Requests. The first one is sent without credentials, and repeated with what
//     the host asks for; a token has the scope of the challenge, too. Credentials are
//     those of the host, by its name and port: never those of the registry that it
//     mirrors. Documents are fetched over HTTP/2
//     if the host has it, blobs over HTTP/1.1, because ranges that share one
//     connection are no faster than one. An answer with a Content-Encoding is an
//     error.
//   - Plain HTTP. It is used for the hosts that hosts.toml has with it, for those of
//     Source.PlainHTTP, and for a loopback address that does not answer by HTTPS.
//   - Redirects. Ten at most, to http and https only, never from https to http. No
//     credential follows to another host. The URL that a blob is redirected to is used
//     for all its ranges. If that URL expires (401, 403, 410), the registry is asked
//     for another, three times at most without progress.
//   - Repetition. What may work later is repeated as package retry says: failed
//     connections, and the statuses 408, 425, 429, 499, 500, 502, 503, 504 and 522.
//   - Silence. A request that is not answered in 30 seconds after there is a
//     connection fails, and so does any body below 1 KiB/s for 30 seconds.
//   - Proxies. One that refuses to connect is asked again only if its answer is
//     temporary.
//   - Trust. Every document and blob is checked against its digest and size before
//     it gets its name. A blob of the user that is cached, and larger than 4 MiB, is
//     trusted by its size; any other is read and checked. If there are verifiers, they are asked
//     about the digest that a name led to, before anything is fetched.
//   - Secrets. No message has the query of a URL, a password or a token.
package registry

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/retry"
	"banger/lib/status"
	"banger/lib/transfer"
	"banger/lib/xdg"
)

// RetryFor is the usual time in which failed requests are repeated.
const RetryFor = 5 * time.Minute

// silence is how long a server may send nothing.
const silence = 30 * time.Second

// patience is how long requests fail before that is a warning.
const patience = 10 * time.Second

// A Source says how images are pulled. It is made by NewSource. Its fields are set
// before the first pull. Copies share connections, tokens and limits.
type Source struct {
	Platform  v1.Platform
	Keychain  authn.Keychain
	HostsDirs []string     // that hosts.Load searches
	PlainHTTP []string     // registries and mirrors that are asked by HTTP, HOST or HOST:PORT
	Retry     retry.Policy // for the last host
	Offline   bool         // whether only what is cached is used
	Verifier  string       // directory of verifiers, "" for none
	// Warn is called with what the user should know.
	Warn func(text string)
	// Log, if not nil, is called with each failure that does not end the pull. It may
	// be called by several goroutines at a time.
	Log func(text string)

	*run
}

// A run is what the pulls of a process share.
type run struct {
	silence  time.Duration
	patience time.Duration
	limiter  *transfer.Limiter

	mu      sync.Mutex
	clients map[string][]*client // by registry
	dead    map[string]bool      // hosts that could not be connected to, by scheme and host
}

// NewSource returns a source with the credentials of docker login and podman login,
// and the configured hosts, whose files getenv locates.
func NewSource(getenv func(string) string) Source {
	dirs := []string{"/etc/banger/certs.d", "/etc/containerd/certs.d", "/etc/docker/certs.d"}
	if config, err := xdg.Config(getenv); err == nil {
		dirs = append([]string{filepath.Join(config, "certs.d")}, dirs...)
	}
	return Source{
		Keychain: keychain{getenv}, HostsDirs: dirs, Retry: retry.Policy{For: RetryFor},
		Warn: func(string) {},
		run: &run{
			silence: silence, patience: patience, limiter: transfer.NewLimiter(),
			clients: map[string][]*client{}, dead: map[string]bool{},
		},
	}
}

// log reports a failure that does not end the pull.
func (s *Source) log(host string, err error) {
	if s.Log != nil {
		s.Log(named(host, err))
	}
}

// named returns the text of an error with the host that it is of, once.
func named(host string, err error) string {
	return host + ": " + strings.TrimPrefix(err.Error(), host+": ")
}

// CheckPinned returns an error for what is no reference by digest.
func CheckPinned(reference string) error {
	_, err := name.NewDigest(reference)
	return err
}

// CheckHost returns an error for what is not HOST or HOST:PORT.
func CheckHost(host string) error {
	if _, err := name.NewRegistry(host); err != nil || host == "" {
		return status.Errorf(status.Usage, "%q: not HOST or HOST:PORT", host)
	}
	return nil
}

// isRedirect reports whether an answer leads to another URL.
func isRedirect(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}
