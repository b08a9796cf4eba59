// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/base64"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sys/unix"

	"banger/test/faultproxy"
)

// points is the number of places in an image at which each fault is shown. The
// limit for a silent server is 30 seconds: the fault stall needs -points 10 or
// more.
var points = flag.Int("points", 2, "at how many points each fault of a server, and kill, is tested")

const (
	account  = "me"
	password = "password-secret"
)

// A faulty is an image in a docker-registry with passwords, which is pulled
// through proxies that fail.
type faulty struct {
	user     user
	ca       *authority
	registry string
	blobs    []faultyBlob
	size     int64 // of all blobs, bytes
	digest   string
}

// A faultyBlob is a blob or a manifest.
type faultyBlob struct {
	names []string // how it is requested: by its digest, or a tag
	size  int64
}

// newFaulty pushes an image of layers with the sizes as app:1.
func newFaulty(t testing.TB, sizes ...int) *faulty {
	t.Helper()
	f := &faulty{user: newUser(t, nobody), ca: newAuthority(t)}
	f.registry = registrySettings{auth: htpasswd(t)}.start(t)
	f.push(t, "app:1", smallLayers(t, noiseLayers(1, sizes...)...))
	return f
}

// htpasswd is the configuration of a registry that one account may use.
func htpasswd(t testing.TB) map[string]any {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(scratch(t), "htpasswd")
	if err := os.WriteFile(path, fmt.Appendf(nil, "%s:%s\n", account, hash), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"htpasswd": map[string]any{"realm": "test", "path": path}}
}

// noiseLayers are layers that are no archives, of random bytes.
func noiseLayers(seed uint64, sizes ...int) (layers []v1.Layer) {
	for i, size := range sizes {
		layers = append(layers, static.NewLayer(smallNoise(seed+uint64(i), size), types.OCIUncompressedLayer))
	}
	return layers
}

// push pushes an image under a name, and notes its blobs.
func (f *faulty) push(t testing.TB, short string, img v1.Image) {
	t.Helper()
	ref, err := name.ParseReference(f.registry + "/" + short)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithAuth(&authn.Basic{Username: account, Password: password})); err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	size, err := img.Size()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range append(m.Layers, m.Config) {
		f.blobs = append(f.blobs, faultyBlob{[]string{d.Digest.String()}, d.Size})
	}
	f.digest = digest.String()
	f.blobs = append(f.blobs, faultyBlob{[]string{f.digest, ref.Identifier()}, size})
	for _, b := range f.blobs {
		f.size += b.size
	}
}

// A mode is how a client reaches a registry: with passwords or with tokens, by
// plain HTTP or by TLS with HTTP/2 on offer, and whether blobs are elsewhere.
type mode struct {
	name             string
	tls, tokens, cdn bool
}

var modes = []mode{
	{"passwords", false, false, false},
	{"tokens", false, true, false},
	{"cdn", false, true, true},
	{"tls", true, false, false},
	{"tls, tokens, cdn", true, true, true},
}

// proxy starts a proxy in front of a registry until the test ends. change sets its
// other fields.
func (f *faulty) proxy(t testing.TB, m mode, change func(*faultproxy.Proxy)) *faultproxy.Proxy {
	t.Helper()
	p := &faultproxy.Proxy{Registry: "http://" + f.registry, CDN: m.cdn}
	if m.tokens {
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(account+":"+password))
		p.Header = http.Header{"Authorization": {basic}}
		p.Tokens = &faultproxy.Tokens{User: account, Password: password}
	}
	if m.tls {
		p.TLS, p.HTTP2 = f.ca.trusting(f.ca.server), true
	}
	if change != nil {
		change(p)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// place returns a directory for a client of hosts: in memory, if root runs the
// tests. It has the client's password, and what it needs to reach them.
func (f *faulty) place(t testing.TB, hosts ...*faultproxy.Proxy) string {
	t.Helper()
	dir := f.user.place(t)
	if os.Getuid() == 0 {
		inMemory(t, dir, fmt.Sprintf("mode=0700,uid=%d,gid=%[1]d", f.user.id))
	}
	f.configure(t, dir, hosts...)
	return dir
}

// inMemory mounts a tmpfs until the test ends, which root can.
func inMemory(t testing.TB, dir, options string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, "size=2G,"+options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// configure writes what a client needs to reach hosts.
func (f *faulty) configure(t testing.TB, place string, hosts ...*faultproxy.Proxy) {
	t.Helper()
	auths := map[string]string{}
	for _, p := range hosts {
		auths[p.Host()] = password
		f.hosts(t, place, p.Host(), fmt.Sprintf("server = %q\nca = %q\n", p.URL(), f.ca.file("ca.pem")))
	}
	f.passwords(t, place, auths)
}

// hosts writes a hosts.toml.
func (f *faulty) hosts(t testing.TB, place, host, text string) {
	t.Helper()
	writeFor(t, filepath.Join(place, "certs.d", strings.Replace(host, ":", "_", 1)+"_", "hosts.toml"), text)
}

// passwords writes a config.json with the password of each host.
func (f *faulty) passwords(t testing.TB, place string, of map[string]string) {
	t.Helper()
	var auths []string
	for host, password := range of {
		auths = append(auths, fmt.Sprintf("%q:{\"username\":%q,\"password\":%q}", host, account, password))
	}
	writeFor(t, filepath.Join(place, "config.json"), `{"auths":{`+strings.Join(auths, ",")+`}}`)
}

// writeFor writes a file that everyone can read, in a directory that may not exist.
func writeFor(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fetch returns the command that fetches images into the place's cache.
func (f *faulty) fetch(place string, args ...string) *exec.Cmd {
	return f.with(place, append([]string{"--hosts-dir", filepath.Join(place, "certs.d")}, args...)...)
}

// with is fetch without the place's hosts.toml.
func (f *faulty) with(place string, args ...string) *exec.Cmd {
	return withEnv(f.user.command("banger-fetch", args...), "XDG_CACHE_HOME="+place, "DOCKER_CONFIG="+place)
}

func cacheOf(place string) string { return filepath.Join(place, "banger/oci") }

// complete fails the test unless a command has printed the image's line and its
// blobs are in the place's cache, and no part file or map.
func (f *faulty) complete(t testing.TB, place, ref string, o outcome) {
	t.Helper()
	if want := cacheOf(place) + ":" + ref + "@" + f.digest + "\n"; o.code != 0 || o.stdout != want {
		t.Fatalf("exit status %d, printed %q, want %q\n%s", o.code, o.stdout, want, o.stderr)
	}
	listed := cacheGood(t, cacheOf(place))
	if strings.Count(listed, "\n") != 1 || !strings.HasPrefix(listed, f.digest) {
		t.Errorf("listed: %s", listed)
	}
	if left, _ := filepath.Glob(filepath.Join(cacheOf(place), "ingest/*")); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

// discreet fails the test if a proxy saw a password or token where it does not
// belong, or one is in a text.
func discreet(t testing.TB, p *faultproxy.Proxy, text string) {
	t.Helper()
	if strings.Contains(text, "secret") {
		t.Errorf("a secret is shown: %q", text)
	}
	for _, r := range p.Requests() {
		if p.CDN && r.Host == p.CDNHost() && r.Authorization != "" {
			t.Errorf("%s %s: %q was sent to another host", r.Method, r.Path, r.Authorization)
		}
	}
}

// byte returns a blob and one of its bytes: half of the times the largest blob.
func (f *faulty) byte(r *rand.Rand) (of []string, at int64) {
	b := f.blobs[0]
	if r.IntN(2) == 0 {
		b = f.blobs[r.IntN(len(f.blobs))]
	}
	return b.names, r.Int64N(b.size)
}
