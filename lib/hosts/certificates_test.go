// SPDX-License-Identifier: Apache-2.0

package hosts

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"banger/lib/status"
)

// certificates returns a server that asks for a client's certificate, and the
// server's certificate and key in PEM format, which the client uses as well.
func certificates(t *testing.T) (s *httptest.Server, cert, key string) {
	t.Helper()
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	raw, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	return s, cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// A server with a certificate of a private authority, which asks for one of the
// client's, is reached with the files that are named, or that lie in Docker's
// directory.
func TestCertificates(t *testing.T) {
	s, cert, key := certificates(t)
	dir := write(t, map[string]string{
		"docker/ca.crt": cert, "docker/me.cert": cert, "docker/me.key": key,
		"pair/hosts.toml": "ca = \"../x/ca.pem\"\nclient = [[\"../x/ca.pem\", \"../x/me.key\"]]\n",
		"one/hosts.toml":  "ca = [\"../x/ca.pem\"]\nclient = \"../x/both.pem\"\n",
		"none/hosts.toml": "skip_verify = true\nclient = [[\"../x/both.pem\", \"\"]]\n",
		"x/ca.pem":        cert, "x/me.key": key, "x/both.pem": cert + key,
	})
	for _, name := range []string{"docker", "pair", "one", "none"} {
		all, err := Load([]string{dir}, name, func(text string) { t.Errorf("%s: %s", name, text) })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		client := http.Client{Transport: &http.Transport{TLSClientConfig: all[0].TLS}}
		resp, err := client.Get(s.URL)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
		client.CloseIdleConnections()
	}
}

// A certificate without its key, and a file that is none, are errors that name it.
func TestBadCertificates(t *testing.T) {
	_, cert, key := certificates(t)
	dir := write(t, map[string]string{
		"nokey/me.cert": cert, "nocert/me.key": key, "text/ca.crt": "hello", "mixed/me.cert": cert, "mixed/me.key": cert,
		"file/hosts.toml": "ca = \"nothing.pem\"\n", "two/hosts.toml": "client = [[\"hosts.toml\", \"hosts.toml\"]]\n",
	})
	for name, want := range map[string]string{
		"nokey": "no me.key", "nocert": "no me.cert", "text": "ca.crt: no certificate", "mixed": "me.cert", "file": "nothing.pem", "two": "hosts.toml",
	} {
		_, err := Load([]string{dir}, name, nil)
		if status.Of(err) != status.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: status %d, %v", name, status.Of(err), err)
		}
	}
}
