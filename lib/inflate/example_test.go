// SPDX-License-Identifier: Apache-2.0

package inflate_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"

	"banger/lib/inflate"
)

// Decode into one buffer after the other, without a copy.
func ExampleReader_Next() {
	var members bytes.Buffer
	w := gzip.NewWriter(&members)
	fmt.Fprint(w, "one buffer after the other")
	w.Close()

	r, buf := inflate.NewReader(&members), new(inflate.Buffer)
	for {
		plain, err := r.Next(buf)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", plain)
	}
	// Output: one buffer after the other
}
