// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"testing"
)

// BenchmarkInflate decodes the gzip layers of an image of 1.5 GB on one
// processor, next to two other Go decoders, gzip, libdeflate and ISA-L.
func BenchmarkInflate(b *testing.B) {
	need(b, "time", "umoci", "gzip", "libdeflate-gunzip", "igzip")
	u := newUser(b, uint32(os.Getuid()))
	layers, _ := u.layered(b, scaled(70_000), scaled[int64](1_500_000_000)).blobs(b)
	program := buildHere(b, "inflate")
	decoder := func(name string, command ...string) *entrant {
		return &entrant{name: name, command: func(string) []string { return append(command, layers...) }}
	}
	each := func(name, command string) *entrant {
		return decoder(name, "sh", "-c", `for f; do `+command+` <"$f" >/dev/null || exit; done`, "sh")
	}
	c := contest{
		decoder("inflate", program, "inflate"), decoder("klauspost", program, "klauspost"), decoder("compress/gzip", program, "std"),
		each("gzip -dc", "gzip -dc"), each("libdeflate-gunzip", "libdeflate-gunzip -c"), each("igzip -dc", "igzip -dc"),
	}
	for b.Loop() {
		c.round(b, u)
	}
	report(b, c)
}
