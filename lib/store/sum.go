// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"banger/lib/sparse"
)

// sum returns the SHA-256 of a file.
func sum(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if err := sparse.Read(ctx, h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sumTree returns the SHA-256 of the output of
// cd DIR && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
func sumTree(ctx context.Context, dir string) (string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	slices.Sort(files)
	h := sha256.New()
	for _, path := range files {
		digest, err := sum(ctx, path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s  .%s\n", digest, path[len(dir):])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sums returns the SHA-256 of each part in a kernel's directory.
func sums(ctx context.Context, dir string) (map[string]string, error) {
	all := map[string]string{}
	for _, part := range allParts {
		path := filepath.Join(dir, part)
		if !exists(path) {
			continue
		}
		digest, err := sum(ctx, path)
		if err != nil {
			return nil, err
		}
		all[part] = digest
	}
	return all, nil
}
