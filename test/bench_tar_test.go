// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkTar writes the compressed archive of a bundle of 1.5 GB, next to
// the plain archive piped through pigz, through gzip, and uncompressed.
func BenchmarkTar(b *testing.B) {
	need(b, "time", "umoci", "gzip", "pigz")
	u := newUser(b, uint32(os.Getuid()))
	i := u.layered(b, scaled(70_000), scaled[int64](1_500_000_000))
	bundle := filepath.Join(u.home, "x.bundle")
	output(b, u.command("banger-flatten", "-o", bundle, i.String()))
	archive := func(name, script string) *entrant {
		return &entrant{name: name, command: func(dir string) []string {
			return []string{"sh", "-ec", script + ` >"$1/archive"; stat -c %s "$1/archive" >"$2"`,
				bundle, dir, u.sizeFile(name)}
		}}
	}
	c := contest{
		archive("banger-tar -z", `banger-tar -z "$0"`),
		archive("pigz of banger-tar", `banger-tar "$0" | pigz -n`),
		archive("gzip of banger-tar", `banger-tar "$0" | gzip -n`),
		archive("plain banger-tar", `banger-tar "$0"`),
	}
	for b.Loop() {
		c.round(b, u)
	}
	report(b, c)
	var sizes []string
	for _, e := range c {
		sizes = append(sizes, e.name+" "+strings.TrimSpace(read(b, u.sizeFile(e.name))))
	}
	b.Log("bytes: ", strings.Join(sizes, ", "))
}

// sizeFile is the path of the file with the size of a program's last archive.
func (u user) sizeFile(name string) string {
	return filepath.Join(u.home, "size of "+name)
}
