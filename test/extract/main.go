// SPDX-License-Identifier: Apache-2.0

// Command extract does with the one image of an OCI image layout what
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

// extract has GNU tar make a tree in dir.
func extract(archive io.Reader, dir string) error {
	tar := exec.Command("tar", "-x", "--numeric-owner", "-C", dir)
	tar.Stderr = os.Stderr
	to, err := tar.StdinPipe()
	if err != nil {
		return err
	}
	if err := tar.Start(); err != nil {
		return err
	}
	_, err = io.Copy(to, archive)
	to.Close()
	if e := tar.Wait(); err == nil {
		err = e
	}
	return err
}

// only is the image of a layout that has one.
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
