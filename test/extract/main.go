// SPDX-License-Identifier: Apache-2.0

// Command extract does with the only image of an OCI layout what
// `crane export | tar -x` does with one in a registry: go-containerregistry
// flattens it to an archive, from which GNU tar makes a tree in the directory
// given. Without a directory the archive goes to standard output.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

func main() {
	log.SetFlags(0)
	image, err := only(os.Args[1])
	if err == nil {
		archive := mutate.Extract(image)
		defer archive.Close()
		if len(os.Args) > 2 {
			err = extract(archive, os.Args[2])
		} else {
			_, err = io.Copy(os.Stdout, archive)
		}
	}
	if err != nil {
		log.Fatal("extract: ", err)
	}
}

// extract extracts the archive to dir with GNU tar.
func extract(archive io.Reader, dir string) error {
	cmd := exec.Command("tar", "-x", "--numeric-owner", "-C", dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err = io.Copy(stdin, archive)
	stdin.Close()
	if e := cmd.Wait(); err == nil {
		err = e
	}
	return err
}

// only returns the image of a layout that has exactly one.
func only(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if n := len(manifest.Manifests); n != 1 {
		return nil, fmt.Errorf("%s: %d images", dir, n)
	}
	return index.Image(manifest.Manifests[0].Digest)
}
