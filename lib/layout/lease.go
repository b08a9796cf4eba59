// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/stage"
)

// leaseFile is a file in the temporary directory of a writer, with one digest a line.
const leaseFile = "lease"

// Lease keeps blobs from being pruned until Close, whether they exist or not. It must
// be called before the caller looks whether they exist.
func (w *Writer) Lease(ctx context.Context, blobs ...v1.Descriptor) error {
	w.mu.Lock()
	var text bytes.Buffer
	for _, d := range blobs {
		if !w.leased[d.Digest] {
			text.WriteString(string(d.Digest) + "\n")
		}
	}
	w.mu.Unlock()
	if text.Len() == 0 {
		return nil
	}
	dir, err := w.staged()
	if err != nil {
		return err
	}
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	lease := filepath.Join(dir, leaseFile)
	if err := appendFile(lease, text.Bytes()); err != nil {
		return hintFull(err)
	}
	if err := w.share(lease); err != nil { // who prunes reads it, whatever the umask
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range blobs {
		w.leased[d.Digest] = true
	}
	return nil
}

func appendFile(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Leases returns the digests that living writers have leased. It is called in the
// function that Exclusive calls.
func (l *Layout) Leases() (map[digest.Digest]bool, error) {
	living, err := stage.Living(l.dir, stageName)
	if err != nil {
		return nil, err
	}
	leased := map[digest.Digest]bool{}
	for _, dir := range living {
		text, err := os.ReadFile(filepath.Join(dir, leaseFile))
		if err != nil && !isMissing(err) { // its writer may have no lease, or have ended
			return nil, err
		}
		for _, line := range strings.Fields(string(text)) {
			leased[digest.Digest(line)] = true
		}
	}
	return leased, nil
}
