// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

const (
	verifierTime   = 10 * time.Second // as containerd's default
	verifierOutput = 16 << 10         // bytes that are read of its output
)

// checkVerifiers returns an error if a directory has no verifiers, or something else.
func checkVerifiers(dir string) error {
	_, err := verifiers(dir)
	return err
}

// verifiers returns the paths of the programs in a directory, none if it is "".
func verifiers(dir string) (all []string, err error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, status.Errorf(status.Usage, "--verifier: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			return nil, status.Errorf(status.Usage, "--verifier: %s: not an executable file", path)
		}
		all = append(all, path)
	}
	if len(all) == 0 {
		return nil, status.Errorf(status.Usage, "--verifier: no file in %s", dir)
	}
	return all, nil
}

// verify asks the verifiers about a document, as containerd does (containerd,
// docs/image-verification.md). One that does not exit with 0 refuses it.
func (p *pull) verify(ctx context.Context, d v1.Descriptor) error {
	all, err := verifiers(p.Verifier)
	if err != nil {
		return err
	}
	for _, path := range all {
		if err := p.runVerifier(ctx, path, d); err != nil {
			return err
		}
	}
	return nil
}

func (p *pull) runVerifier(ctx context.Context, path string, d v1.Descriptor) error {
	descriptor, err := json.Marshal(v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, verifierTime)
	defer cancel()
	out := &head{}
	cmd := exec.CommandContext(limited, path, "-name", completed(p.ref), "-digest", string(d.Digest),
		"-stdin-media-type", v1.MediaTypeDescriptor)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(descriptor), out, out
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return status.Errorf(status.Refused, "%s: %s: no answer in %v", d.Digest, path, verifierTime)
	}
	said := strings.Join(strings.Fields(out.String()), " ")
	if said == "" {
		said = err.Error()
	}
	return status.Errorf(status.Refused, "%s: refused by %s: %s", d.Digest, path, said)
}

// A head keeps the first bytes that are written.
type head struct{ bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	h.Buffer.Write(p[:min(len(p), verifierOutput-h.Len())])
	return len(p), nil
}
