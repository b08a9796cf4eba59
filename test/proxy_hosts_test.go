// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"banger/test/faultproxy"
)

// A mirrored is an image in two registries: the origin, which is a faulty's, and a
// mirror, which is reached by TLS with a client's certificate only.
type mirrored struct {
	*faulty
	mirror string // host:port of the registry
	reach  *tls.Config
}

func newMirrored(t *testing.T) mirrored {
	t.Helper()
	need(t, "skopeo")
	m := mirrored{faulty: newFaulty(t, 33<<20, 300_000)}
	m.mirror, m.reach = m.ca.registry(t)
	skopeo(t, "copy", "--quiet", "--preserve-digests", "--src-creds", account+":"+password, "--src-tls-verify=false", "--dest-cert-dir", m.ca.docker(t, scratch(t)),
		"docker://"+m.registry+"/app:1", "docker://"+m.mirror+"/app:1")
	return m
}

// at starts a proxy in front of the mirror, which requires the certificate itself.
func (m mirrored) at(t *testing.T, fault *faultproxy.Fault) *faultproxy.Proxy {
	t.Helper()
	return m.proxy(t, mode{tls: true}, func(p *faultproxy.Proxy) {
		p.Registry, p.Backend, p.Fault = "https://"+m.mirror, m.reach, fault
		p.TLS.ClientAuth = tls.RequireAndVerifyClientCert
	})
}

// table is the hosts.toml of the origin with a mirror.
func (m mirrored) table(origin *faultproxy.Proxy, mirror string) string {
	return fmt.Sprintf("server = %q\n[host.%q]\nca = %q\nclient = [[%q, %q]]\n",
		origin.URL(), mirror, m.ca.file("ca.pem"), m.ca.file("client.pem"), m.ca.file("client.key"))
}

// TestFetchMirror fetches from a mirror and from the origin. What the mirror does
// not serve right, the origin does, and neither gets the other's password.
func TestFetchMirror(t *testing.T) {
	m := newMirrored(t)
	big := m.blobs[0]
	always := func(kind faultproxy.Kind, at int64) *faultproxy.Fault {
		return &faultproxy.Fault{Kind: kind, Of: big.names, At: at, Times: 1000}
	}
	for name, c := range map[string]struct {
		fault *faultproxy.Fault
		most  int64 // bytes of the image that the origin sends
	}{
		"good":          {nil, 0},
		"cut":           {always(faultproxy.Cut, 20<<20), 14 << 20},
		"wrong bytes":   {always(faultproxy.Flip, 20<<20), big.size},
		"wrong length":  {always(faultproxy.WrongLength, 0), big.size},
		"unavailable":   {always(faultproxy.Unavailable, 0), big.size},
		"too many":      {always(faultproxy.TooManySeconds, 0), big.size},
		"without range": {always(faultproxy.NotSatisfiable, 0), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin, mirror := m.proxy(t, modes[1], nil), m.at(t, c.fault)
			place, ref := m.place(t, origin), origin.Host()+"/app:1"
			m.hosts(t, place, origin.Host(), m.table(origin, mirror.URL()))
			o := finish(t, m.fetch(place, ref))
			m.complete(t, place, ref, o)
			discreet(t, origin, o.stderr)
			if n := bytesOf(origin); n > c.most+m.size-big.size || c.fault == nil && len(origin.Requests()) > 0 {
				t.Errorf("the origin sent %d bytes in %d requests", n, len(origin.Requests()))
			}
			if c.fault != nil && c.fault.Shown() == 0 {
				t.Error("the fault was not shown")
			}
			for _, r := range mirror.Requests() {
				if r.Authorization != "" || r.Query != "ns="+strings.Replace(origin.Host(), ":", "%3A", 1) {
					t.Errorf("the mirror got %s %s?%s, Authorization %q", r.Method, r.Path, r.Query, r.Authorization)
				}
			}
			for _, r := range origin.Requests() {
				if r.Query != "" && r.Path != "/token" {
					t.Errorf("the origin got %s?%s", r.Path, r.Query)
				}
			}
		})
	}
}

// bytesOf returns the number of bytes of content that a proxy sent.
func bytesOf(p *faultproxy.Proxy) (n int64) {
	requests := p.Requests()
	for _, r := range requests {
		if r.Status == 200 && r.Path != "/token" || r.Status == 206 {
			n += wanted(r, requests)
		}
	}
	return n
}

// wanted returns how many bytes of an answer the client wanted. One that ends a request
// early, because another has taken over the rest of its range, does not want those that
// are on their way.
func wanted(r faultproxy.Request, all []faultproxy.Request) int64 {
	var from, last int64
	if _, err := fmt.Sscanf(r.Range, "bytes=%d-%d", &from, &last); err != nil || r.Bytes == last+1-from {
		return r.Bytes
	}
	n := r.Bytes
	for _, other := range all {
		var start int64
		if _, err := fmt.Sscanf(other.Range, "bytes=%d-", &start); err == nil && other.Path == r.Path && start > from {
			n = min(n, start-from)
		}
	}
	return n
}

// TestFetchMirrorDead fetches an image of many layers past a mirror that does not
// answer, and past one that does not exist. Each is tried once.
func TestFetchMirrorDead(t *testing.T) {
	m := mirrored{faulty: newFaulty(t, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009)}
	m.ca.pair(t, "client")
	for name, dead := range map[string]string{"silent": silent(t), "refuses": freeAddr(t)} {
		t.Run(name, func(t *testing.T) {
			origin := m.proxy(t, modes[1], nil)
			place, ref := m.place(t, origin), origin.Host()+"/app:1"
			m.hosts(t, place, origin.Host(), m.table(origin, "https://"+dead)+"dial_timeout = \"300ms\"\n")
			o := finish(t, m.fetch(place, "-v", ref))
			m.complete(t, place, ref, o)
			if n := strings.Count(o.stderr, "\n"); n != 1 || !strings.Contains(o.stderr, dead) {
				t.Errorf("not one failure of %s:\n%s", dead, o.stderr)
			}
		})
	}
}

// silent returns an address whose connections are never accepted: its queue is full.
func silent(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", at.(*unix.SockaddrInet4).Port)
	c, err := net.Dial("tcp", addr) // a queue of length 0 holds one
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return addr
}

// credentialHelper notes what it is asked for, and answers with the password.
const credentialHelper = `#!/bin/sh
read -r host
echo "$1 $host" >>"$HOME/asked"
printf '{"ServerURL":"%%s","Username":"%s","Secret":"%s"}' "$host"
`

// TestFetchWithCredentials gets the password from a helper, and reaches a registry by
// the certificates in a directory as Docker has it.
func TestFetchWithCredentials(t *testing.T) {
	f := newFaulty(t, 1000)
	t.Run("helper", func(t *testing.T) {
		p := f.proxy(t, modes[1], nil)
		place, ref := f.place(t, p), p.Host()+"/app:1"
		writeFor(t, filepath.Join(place, "config.json"), fmt.Sprintf(`{"credHelpers":{%q:"test"}}`, p.Host()))
		helper := filepath.Join(place, "bin/docker-credential-test")
		writeFor(t, helper, fmt.Sprintf(credentialHelper, account, password))
		if err := os.Chmod(helper, 0o755); err != nil {
			t.Fatal(err)
		}
		o := finish(t, withEnv(f.fetch(place, ref), "PATH="+filepath.Dir(helper)+":"+loginPath, "HOME="+place))
		f.complete(t, place, ref, o)
		discreet(t, p, o.stderr)
		if asked := read(t, filepath.Join(place, "asked")); !strings.HasPrefix(asked, "get "+p.Host()+"\n") {
			t.Errorf("asked %q", asked)
		}
	})
	t.Run("certificates", func(t *testing.T) {
		f.ca.pair(t, "client")
		p := f.proxy(t, modes[3], func(p *faultproxy.Proxy) { p.TLS.ClientAuth = tls.RequireAndVerifyClientCert })
		place, ref := f.place(t, p), p.Host()+"/app:1"
		dir := f.ca.docker(t, filepath.Join(place, "docker", p.Host()))
		o := finish(t, f.with(place, "--hosts-dir", filepath.Dir(dir), ref))
		f.complete(t, place, ref, o)
		if err := os.Remove(filepath.Join(dir, "client.cert")); err != nil {
			t.Fatal(err)
		}
		finish(t, f.with(place, "--hosts-dir", filepath.Dir(dir), ref)).failed(t, []int{64}, "banger-fetch: "+ref+": ", "client.key")
	})
}
