// SPDX-License-Identifier: Apache-2.0

// Command inflate decompresses files on one processor and discards the result,
// with banger's decoder or another one for Go.
//
//	inflate inflate|klauspost|std FILE...
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"runtime"

	stdgzip "compress/gzip"

	kgzip "github.com/klauspost/compress/gzip"

	"banger/lib/inflate"
)

func main() {
	log.SetFlags(0)
	runtime.GOMAXPROCS(1)
	if len(os.Args) < 3 {
		log.Fatal("usage: inflate inflate|klauspost|std FILE...")
	}
	for _, path := range os.Args[2:] {
		if err := decode(os.Args[1], path); err != nil {
			log.Fatalf("inflate: %s: %v", path, err)
		}
	}
}

// decode decodes one file. A file that is not gzip is only read.
func decode(with, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var magic [2]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return err
	}
	if magic != [2]byte{0x1f, 0x8b} {
		with = "nothing"
	}
	var r io.Reader
	switch with {
	case "nothing":
		r = f
	case "inflate":
		return decodeInflate(f)
	case "klauspost":
		r, err = kgzip.NewReader(f)
	case "std":
		r, err = stdgzip.NewReader(f)
	default:
		err = fmt.Errorf("no decoder %q", with)
	}
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return err
}

// decodeInflate decodes as banger does, into one buffer.
func decodeInflate(f io.Reader) error {
	r, buf := inflate.NewReader(f), new(inflate.Buffer)
	for {
		if _, err := r.Next(buf); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
