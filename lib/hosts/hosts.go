// SPDX-License-Identifier: Apache-2.0

// Package hosts reads which hosts serve the images of a registry: the mirrors in
// containerd's hosts.toml (containerd, docs/hosts.md) and the certificates in
// Docker's certs.d (Docker, "Verify repository client with certificates").
//
// For a registry, the directories HOST_PORT_, HOST:PORT and _default are searched
// for in each directory of a list. The first one that exists counts, and the
// others are not read. The hosts of its hosts.toml are asked in the order of the
// file, then the server. A file that cannot be used is an error: to ignore it
// would send requests past a mirror.
package hosts

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// A Host serves the images of a registry.
type Host struct {
	// URL is the root of the registry's API, which a name is appended to:
	// https://mirror.example/v2. It has no final slash.
	URL *url.URL
	// Own is true if this is the registry itself. Any other host is told the
	// registry, in the query parameter ns.
	Own bool
	// Resolve is true if the host may be asked which digest a tag has, and Pull if
	// it may be asked for content by digest.
	Resolve, Pull bool
	// TLS has the certificates for connections, nil for the system's.
	TLS *tls.Config
	// Header is added to each request to the host: values by the names of fields, as
	// the file writes them. It may hold secrets.
	Header map[string][]string
	// DialTimeout limits how long a connection may take, 0 for no limit of its own.
	DialTimeout time.Duration
	// Configured is true if a hosts.toml has the host's scheme.
	Configured bool
}

// Hub is the name of Docker Hub in references and of its directory, and hubHost
// the host that serves it.
const (
	Hub     = "docker.io"
	hubHost = "registry-1.docker.io"
)

// dialTimeout is the default DialTimeout of a host that another follows.
const dialTimeout = 5 * time.Second

// Load returns the hosts that serve a registry, HOST or HOST:PORT, in the order in
// which they are asked; the last one is the server. dirs are searched in their
// order. Unknown keys are reported to warn. A file that is broken is an error with
// the code status.Usage that names the file and the line.
func Load(dirs []string, registry string, warn func(text string)) ([]Host, error) {
	all, err := load(dirs, registry, warn)
	if err != nil {
		return nil, err
	}
	for i := range all {
		h := &all[i]
		h.Own = h.URL.Host == registry || registry == Hub && h.URL.Host == hubHost
		if h.DialTimeout == 0 && i < len(all)-1 {
			h.DialTimeout = dialTimeout
		}
	}
	return all, nil
}

func load(dirs []string, registry string, warn func(string)) ([]Host, error) {
	dir := search(dirs, registry)
	if dir == "" {
		return []Host{server(registry)}, nil
	}
	path := filepath.Join(dir, "hosts.toml")
	all, err := readFile(path, registry, warn)
	if !errors.Is(err, fs.ErrNotExist) {
		return all, err
	}
	h := server(registry)
	h.TLS, err = dockerCertificates(dir)
	return []Host{h}, err
}

// server returns the host that a registry has without configuration.
func server(registry string) Host {
	if registry == Hub {
		registry = hubHost
	}
	return Host{URL: &url.URL{Scheme: "https", Host: registry, Path: "/v2"}, Resolve: true, Pull: true}
}

// search returns the first directory for a registry, "" for none. containerd
// writes the colon of a port, which not all file systems allow, as HOST_PORT_.
func search(dirs []string, registry string) string {
	names := []string{registry, "_default"}
	if at := strings.LastIndexByte(registry, ':'); at >= 0 {
		names = append([]string{registry[:at] + "_" + registry[at+1:] + "_"}, names...)
	}
	for _, dir := range dirs {
		for _, name := range names {
			if path := filepath.Join(dir, name); isDir(path) {
				return path
			}
		}
	}
	return ""
}
