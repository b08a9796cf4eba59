// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"banger/lib/store"
)

const release = "6.1.0-test"

// parts returns the parts of an amd64 kernel that needs no initrd.
func parts(release string) fstest.MapFS {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	copy(head[16:], "\x02\x00\x3e\x00\x01")
	return fstest.MapFS{
		"vmlinux":                 {Data: append(head, "Linux version "+release+" (x) #1\n\x00"...)},
		"config":                  {Data: []byte("CONFIG_EXT4_FS=y\nCONFIG_VIRTIO_BLK=y\nCONFIG_VIRTIO_MMIO=y\n")},
		"modules/modules.builtin": {Data: []byte("kernel/fs/ext4/ext4.ko\n")},
	}
}

// pack returns a packed kernel and its record.
func pack(t *testing.T, release string) ([]byte, *store.Kernel) {
	t.Helper()
	s := store.Open(t.TempDir())
	k, err := s.AddKernel(context.Background(), store.Addition{Name: "packed", Files: parts(release), Now: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	held, err := s.OpenKernel("packed")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	var b bytes.Buffer
	if err := held.Pack(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), k
}

// tarOf packs files unchanged.
func tarOf(t *testing.T, files fstest.MapFS) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(files); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// entryOf returns the entry for an archive at k.tar on the catalog's server.
func entryOf(archive []byte) Entry {
	sum := sha256.Sum256(archive)
	return Entry{Name: "k", Distro: "void", Arch: "amd64", KernelVersion: "6.1", SizeBytes: int64(len(archive)),
		TarballURL: "k.tar", TarballSHA256: hex.EncodeToString(sum[:])}
}

// A user pulls from a web server with a catalog of one entry.
type user struct {
	*Puller
	state     string
	catalog   string       // its URL
	asked     atomic.Int64 // for the tarball
	said, got atomic.Int64 // bytes: what Progress hears
}

// newUser returns a user with a short timeout, and a server that answers requests
// for the tarball with the handler.
func newUser(t *testing.T, e Entry, answer http.HandlerFunc) *user {
	t.Helper()
	home := t.TempDir()
	u := &user{state: filepath.Join(home, "state")}
	mux := http.NewServeMux()
	mux.HandleFunc("/kernels.json", func(w http.ResponseWriter, _ *http.Request) { w.Write(document(t, e)) })
	mux.HandleFunc("/k.tar", func(w http.ResponseWriter, r *http.Request) { u.asked.Add(1); answer(w, r) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	u.catalog = server.URL + "/kernels.json"
	getenv := func(name string) string { return map[string]string{"HOME": home}[name] }
	p, err := NewPuller(store.Open(u.state), getenv, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	p.source.Keychain = authn.NewMultiKeychain() // not that of who runs the test
	p.Warn = func(text string) { t.Errorf("warned: %s", text) }
	p.Progress = func(total, done int64) { u.said.Add(total); u.got.Add(done) }
	u.Puller = p
	return u
}

func (u *user) pull() (*store.Kernel, error) { return u.Pull(context.Background(), u.catalog, "k") }

// kernels lists the directory of kernels, with hidden entries.
func (u *user) kernels(t *testing.T) string {
	t.Helper()
	all, err := fs.Glob(os.DirFS(u.state), "kernels/*")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// serve answers with fixed bytes.
func serve(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write(b) }
}

func answer(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}
