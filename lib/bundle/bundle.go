// SPDX-License-Identifier: Apache-2.0

// Package bundle reads and writes bundles. A bundle is a directory that holds
// one image: a tree of names and contents that any user can read, and a manifest
// of the other metadata. It is not an OCI runtime bundle.
package bundle

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
)

// The files of a bundle.
const (
	RecordFile   = "image.json"   // identifies the image
	ConfigFile   = "config.json"  // OCI image config, byte for byte
	TreeDir      = "rootfs"       // names and contents
	ManifestFile = "rootfs.mtree" // other metadata
	Ext4File     = "rootfs.ext4"  // written by banger-mkext4
)

// Ext4Record is appended to the name of an ext4 file to name its record, an Ext4
// as JSON.
const Ext4Record = ".json"

// Suffix is the suffix of the names of bundles.
const Suffix = ".bundle"

// isBundle reports whether a directory is a bundle, possibly with files missing.
func isBundle(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ManifestFile))
	return err == nil
}

// isComplete reports whether a directory is a bundle with no files missing.
func isComplete(dir string) bool {
	for _, name := range []string{ManifestFile, RecordFile, TreeDir} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// Name returns a file name for an image reference: the repository without the
// registry and library/, slashes replaced by dashes, and the tag or the first
// twelve digits of the digest.
func Name(reference string) string {
	repository, suffix := reference, ""
	reference, d, _ := strings.Cut(reference, "@")
	repository, suffix = reference, short(digest.Digest(d))
	if at := strings.LastIndex(reference, ":"); at > strings.LastIndex(reference, "/") {
		repository, suffix = reference[:at], reference[at+1:]
	}
	if registry, rest, ok := strings.Cut(repository, "/"); ok && strings.ContainsAny(registry, ".:") || registry == "localhost" && ok {
		repository = rest
	}
	name := strings.ReplaceAll(strings.TrimPrefix(repository, "library/"), "/", "-")
	if suffix != "" {
		name += "-" + suffix
	}
	return name
}

// short returns the first twelve digits of a digest.
func short(d digest.Digest) string {
	if d.Validate() != nil {
		return ""
	}
	return d.Encoded()[:12]
}
