// SPDX-License-Identifier: Apache-2.0

// Command inflate undoes the compression of a file on one processor, and throws
// away what was in it: what no program can do without that reads the file with
// the same decompressor.
package main

import (
	"io"
	"log"
	"os"
	"runtime"

	"banger/lib/decompress"
)

func main() {
	log.SetFlags(0)
	runtime.GOMAXPROCS(1)
	if err := inflate(os.Args[1]); err != nil {
		log.Fatal("inflate: ", err)
	}
}

func inflate(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := decompress.OCI.Reader(f)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}
