// SPDX-License-Identifier: Apache-2.0

package hosts

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"banger/lib/input"
	"banger/lib/status"
)

// maxPEM limits a file of certificates, in bytes. The system's have about 250 KB.
const maxPEM = 4 << 20

// A pair is a client's certificate and its private key, which may be in one file.
type pair struct{ cert, key string }

// configure returns the TLS configuration with certificates of authorities, beside
// the system's, and of the client. It returns nil if nothing is configured.
func configure(authorities []string, client []pair, skipVerify bool) (*tls.Config, error) {
	if len(authorities) == 0 && len(client) == 0 && !skipVerify {
		return nil, nil
	}
	c := &tls.Config{InsecureSkipVerify: skipVerify}
	if len(authorities) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, err
		}
		for _, path := range authorities {
			raw, err := readPEM(path)
			if err != nil {
				return nil, err
			}
			if !pool.AppendCertsFromPEM(raw) {
				return nil, status.Errorf(status.Usage, "%s: no certificate in PEM format", path)
			}
		}
		c.RootCAs = pool
	}
	for _, p := range client {
		certificate, err := loadPair(p)
		if err != nil {
			return nil, err
		}
		c.Certificates = append(c.Certificates, certificate)
	}
	return c, nil
}

func loadPair(p pair) (tls.Certificate, error) {
	cert, err := readPEM(p.cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readPEM(p.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return c, status.Errorf(status.Usage, "%s, %s: %w", p.cert, p.key, err)
	}
	return c, nil
}

func readPEM(path string) ([]byte, error) {
	raw, err := input.ReadFile(path, maxPEM)
	if err != nil {
		return nil, unusable(err)
	}
	return raw, nil
}

// unusable returns an error of reading a file with the code status.Usage. Its
// cause is hidden: a certificate that does not exist is no missing image.
func unusable(err error) error { return status.Errorf(status.Usage, "%s", err) }

// dockerCertificates returns the TLS configuration of a directory of Docker's: the
// authorities NAME.crt, and the client's NAME.cert with NAME.key.
func dockerCertificates(dir string) (*tls.Config, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, unusable(err)
	}
	var authorities []string
	var client []pair
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		name, suffix := strings.TrimSuffix(path, filepath.Ext(path)), filepath.Ext(path)
		switch suffix {
		case ".crt":
			authorities = append(authorities, path)
		case ".cert":
			if _, err := os.Stat(name + ".key"); errors.Is(err, fs.ErrNotExist) {
				return nil, status.Errorf(status.Usage, "%s: no %s.key for it", path, filepath.Base(name))
			}
			client = append(client, pair{path, name + ".key"})
		case ".key":
			if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == filepath.Base(name)+".cert" }) {
				return nil, status.Errorf(status.Usage, "%s: no %s.cert for it", path, filepath.Base(name))
			}
		}
	}
	return configure(authorities, client, false)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
