// SPDX-License-Identifier: Apache-2.0

// Package bundle is banger's workbench on disk, a directory an image: a tree
// of names and contents that anybody may read, and a manifest of all that the
// tree cannot say. Not an OCI runtime bundle.
package bundle

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
)

// The files of a bundle.
const (
	RecordFile   = "image.json"   // what image it is
	ConfigFile   = "config.json"  // the OCI image config, byte for byte
	TreeDir      = "rootfs"       // names and contents
	ManifestFile = "rootfs.mtree" // everything else
	Ext4File     = "rootfs.ext4"  // once banger-mkext4 has run
)

// Ext4Record is what the name of an ext4 file ends with to name its record: an
// Ext4, as JSON.
const Ext4Record = ".json"

// Suffix is how the names of bundles end.
const Suffix = ".bundle"

// isBundle reports whether a directory is to be taken for a bundle, if perhaps
// one that has lost something.
func isBundle(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ManifestFile))
	return err == nil
}

// isWhole reports whether a directory has all that makes a bundle.
func isWhole(dir string) bool {
	for _, name := range []string{ManifestFile, RecordFile, TreeDir} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// Name returns what to call an image, from its reference: the repository
// without registry and library/, a dash for each slash, and the tag, or twelve
// digits of the digest.
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
