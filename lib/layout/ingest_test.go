// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A part file is outside of blobs/, and what it has needs no more space.
func TestIngest(t *testing.T) {
	w := newWriter(t)
	d := describe("content")
	d.Size = 1 << 20
	part, blob, err := w.Ingest(d.Digest)
	if err != nil || part != filepath.Join(w.Dir(), "ingest/sha256-"+d.Digest.Encoded()+".part") || blob != filepath.Join(w.Dir(), "blobs/sha256", d.Digest.Encoded()) {
		t.Fatal(part, blob, err)
	}
	if n, err := w.missing(d); n != 1<<20 || err != nil {
		t.Errorf("nothing is there: %d, %v", n, err)
	}
	if err := os.WriteFile(part, []byte(strings.Repeat("x", 1<<19)), 0o666); err != nil {
		t.Fatal(err)
	}
	if f, err := os.OpenFile(part, os.O_WRONLY, 0); err != nil || f.Sync() != nil || f.Truncate(d.Size) != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if n, err := w.missing(d); n != 1<<19 || err != nil {
		t.Errorf("half of it is there: %d, %v", n, err)
	}
	if err := os.Rename(part, blob); err != nil {
		t.Fatal(err)
	}
	if n, err := w.missing(d); n != 0 || err != nil {
		t.Errorf("it is there: %d, %v", n, err)
	}
}

// A server's Content-Type counts if it names a kind of document.
func TestMediaType(t *testing.T) {
	for _, c := range []struct{ header, raw, want string }{
		{v1.MediaTypeImageIndex, "{}", v1.MediaTypeImageIndex},
		{v1.MediaTypeImageIndex + "; charset=utf-8", "{}", v1.MediaTypeImageIndex},
		{"application/json", `{"mediaType":"` + dockerList + `"}`, dockerList},
		{"", `{"manifests":[]}`, v1.MediaTypeImageIndex},
		{"application/octet-stream", `{}`, v1.MediaTypeImageManifest},
		{"text/html", `{}`, "text/html"},
		{"text/plain", `<html>`, "text/plain"},
	} {
		if got := MediaType(c.header, []byte(c.raw)); got != c.want {
			t.Errorf("%q, %s: %q, want %q", c.header, c.raw, got, c.want)
		}
	}
}
