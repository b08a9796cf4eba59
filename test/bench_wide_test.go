// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"strconv"
	"testing"
)

// BenchmarkMkext4Wide makes an image of a single directory. mkfs.ext4 -d takes
// time quadratic in the number of files: it runs once with 20,000 and not at
// all with 100,000, which would take minutes.
func BenchmarkMkext4Wide(b *testing.B) {
	need(b, "time", "umoci", "mkfs.ext4")
	for _, files := range []int{20_000, 100_000} {
		b.Run(strconv.Itoa(files), func(b *testing.B) {
			u := newUser(b, uint32(os.Getuid()))
			w := small(b, u, 1, scaled(files))
			made := w.first(b, u)
			c := append(contest{w.banger()}, w.tar2ext4(b)...)
			if files <= 20_000 {
				plain := w.mkfs(made)
				plain.once = true
				c = append(c, plain)
			}
			for b.Loop() {
				c.round(b, u)
			}
			report(b, c)
		})
	}
}
