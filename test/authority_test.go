// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An authority issues certificates. Its own, and those that it issues, with their
// keys, are in files that everyone can read.
type authority struct {
	dir    string // has ca.pem, and NAME.pem and NAME.key for each certificate
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	server tls.Certificate // for servers on loopback: server.pem
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{dir: scratch(t)}
	if err := os.Chmod(a.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	a.key = a.issue(t, "ca", a.cert)
	a.server = a.pair(t, "server")
	return a
}

// file returns the path of a file.
func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes a certificate and its key. The first is the authority's own.
func (a *authority) issue(t testing.TB, name string, c *x509.Certificate) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by := a.key
	if by == nil {
		by = key
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".pem", "CERTIFICATE", raw)
	a.write(t, name+".key", "PRIVATE KEY", private)
	return key
}

func (a *authority) write(t testing.TB, name, kind string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o644); err != nil {
		t.Fatal(err)
	}
}

// pair issues a certificate for loopback, of a server or a client.
func (a *authority) pair(t testing.TB, name string) tls.Certificate {
	t.Helper()
	a.issue(t, name, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
	})
	pair, err := tls.LoadX509KeyPair(a.file(name+".pem"), a.file(name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// docker writes the authority's certificate and the client's to a directory, as
// Docker and skopeo have them, and returns it.
func (a *authority) docker(t testing.TB, dir string) string {
	t.Helper()
	for from, to := range map[string]string{"ca.pem": "ca.crt", "client.pem": "client.cert", "client.key": "client.key"} {
		writeFor(t, filepath.Join(dir, to), read(t, a.file(from)))
	}
	return dir
}

// trusting returns a configuration that accepts the authority, and has a
// certificate of its own.
func (a *authority) trusting(own tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.self())
	return &tls.Config{RootCAs: pool, ClientCAs: pool, Certificates: []tls.Certificate{own}}
}

// self returns the authority's certificate as it was issued.
func (a *authority) self() *x509.Certificate {
	pair, err := tls.LoadX509KeyPair(a.file("ca.pem"), a.file("ca.key"))
	if err != nil {
		panic(err)
	}
	return pair.Leaf
}

// registry runs a docker-registry that is reached by TLS, and only with a
// certificate of the authority.
func (a *authority) registry(t testing.TB) (host string, reach *tls.Config) {
	t.Helper()
	reach = a.trusting(a.pair(t, "client"))
	s := registrySettings{
		tls: map[string]any{
			"certificate": a.file("server.pem"), "key": a.file("server.key"), "clientcas": []string{a.file("ca.pem")},
		},
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: reach}},
	}
	return s.start(t), reach
}
