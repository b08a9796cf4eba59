// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"banger/lib/status"
)

// script adds a verifier to a directory.
func script(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	writeFile(t, path, "#!/bin/sh\n"+text+"\n")
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

// A verifier is asked as containerd asks it, before anything else is fetched, and when
// all is cached.
func TestVerifier(t *testing.T) {
	f, s, dir := newFake(t, 16), newTestSource(t), t.TempDir()
	s.Verifier = t.TempDir()
	out := filepath.Join(t.TempDir(), "out")
	script(t, s.Verifier, "a", fmt.Sprintf("echo \"$@\" >%s; cat >>%[1]s", out))
	d := digest.FromBytes(f.manifest)
	want := fmt.Sprintf("-name %s -digest %s -stdin-media-type application/vnd.oci.descriptor.v1+json\n"+
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d}`, f.ref(), d, d, len(f.manifest))
	for _, asked := range []string{"GET 1, GET config, GET layer", "HEAD 1"} {
		if _, err := pullInto(t, dir, s, f.ref()); err != nil {
			t.Fatal(err)
		}
		same(t, "accepted", f.requests(), strings.Split(asked, ", ")...)
		if got, err := os.ReadFile(out); err != nil || string(got) != want {
			t.Errorf("asked\n%s, %v, want\n%s", got, err, want)
		}
		os.Remove(out)
	}
	script(t, s.Verifier, "b", "echo not signed; exit 1")
	for _, where := range []string{dir, t.TempDir()} {
		_, err := pullInto(t, where, s, f.ref())
		if status.Of(err) != status.Refused || !strings.Contains(err.Error(), "not signed") {
			t.Errorf("status %d, %v", status.Of(err), err)
		}
	}
	same(t, "refused", f.requests(), "HEAD 1", "GET 1")
}

// A directory that cannot decide is not passed over.
func TestNoVerifier(t *testing.T) {
	f := newFake(t, 16)
	empty, text, nested := t.TempDir(), t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(text, "README"), "x")
	writeFile(t, filepath.Join(nested, "d/x"), "x")
	for _, dir := range []string{empty, text, nested, filepath.Join(empty, "none")} {
		s := newTestSource(t)
		s.Verifier = dir
		if _, err := pullInto(t, t.TempDir(), s, f.ref()); status.Of(err) != status.Usage {
			t.Errorf("%s: status %d, %v", dir, status.Of(err), err)
		}
	}
	same(t, "no verifier", f.requests())
}
