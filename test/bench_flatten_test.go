// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkFlattenImage flattens an image of 1.5 GB, with gzip and with
// uncompressed layers of several sizes, next to other programs that unpack one
// and the two lower bounds: inflating the largest layer on the one processor
// that gzip can use, and writing the tree. floor-x is banger's time divided by
// the longer of the two.
func BenchmarkFlattenImage(b *testing.B) {
	need(b, "time", "umoci", "skopeo")
	u := newUser(b, uint32(os.Getuid()))
	gzip := u.layered(b, scaled(70_000), scaled[int64](1_500_000_000))
	b.Run("gzip", func(b *testing.B) { u.onRAM(b).benchmarkFlatten(b, gzip) })
	b.Run("plain", func(b *testing.B) { u.onRAM(b).benchmarkFlatten(b, gzip.plain(b, u.home)) })
}

func (u user) benchmarkFlatten(b *testing.B, i image) {
	f := newFlattening(b, u, i)
	banger, inflate, write := f.banger(), f.inflate(b), f.write(b, u)
	c := contest{banger, f.umoci()}
	if os.Getuid() == 0 { // An ordinary user's tar stops at the first device.
		c = append(c, f.extract(b), f.tar())
	}
	c = append(c, inflate, f.gunzip(), write)
	for b.Loop() {
		c.round(b, u)
	}
	report(b, c)
	var over []float64
	for n := range banger.costs {
		over = append(over, banger.costs[n][wall]/max(inflate.costs[n][wall], write.costs[n][wall]))
	}
	b.ReportMetric(median(over), "floor-x")
}

// BenchmarkFlattenMany flattens a million small or empty files, a hundred in a
// directory, in four layers; and a tenth of them.
func BenchmarkFlattenMany(b *testing.B) {
	need(b, "time", "umoci")
	u := newUser(b, uint32(os.Getuid()))
	dirs := [2]int{scaled(1_000), scaled(10_000)}
	var contests [2]contest
	images := [2]image{u.manyFiles(b, dirs[0]), u.manyFiles(b, dirs[1])}
	u = u.onRAM(b)
	for i, n := range dirs {
		f := newFlattening(b, u, images[i])
		contests[i] = contest{f.banger()}
		contests[i][0].name += fmt.Sprintf(", %d files", n*100)
	}
	for b.Loop() {
		for _, c := range contests {
			c.round(b, u)
		}
	}
	report(b, contests[:]...)
	reportGrowth(b, contests[0][0], contests[1][0], dirs)
}

// A flattening is an image and its layers.
type flattening struct {
	image
	rootless bool
	layers   []string // paths of the blobs, the lowest first
	largest  string   // path of the largest blob
}

// newFlattening flattens the image once, unmeasured, to fill the page cache.
func newFlattening(b *testing.B, u user, i image) flattening {
	b.Helper()
	f := flattening{image: i, rootless: os.Getuid() != 0}
	f.layers, f.largest = i.blobs(b)
	f.once(b, u, func(string) {})
	return f
}

// once flattens the image, calls use and removes the bundle.
func (f flattening) once(b *testing.B, u user, use func(bundle string)) {
	b.Helper()
	dir, err := os.MkdirTemp(u.home, "once-")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	command := f.banger().command(dir)
	use(output(b, u.command(command[0], command[1:]...)))
}

// banger is banger-flatten.
func (f flattening) banger() *entrant {
	return &entrant{name: "banger-flatten", command: func(dir string) []string {
		return []string{"banger-flatten", "-o", filepath.Join(dir, "x.bundle"), f.String()}
	}}
}

// umoci is umoci unpack, rootless for an ordinary user.
func (f flattening) umoci() *entrant {
	return &entrant{name: "umoci unpack", command: func(dir string) []string {
		command := []string{"umoci", "unpack", "--image", f.String(), filepath.Join(dir, "umoci")}
		if f.rootless {
			command = append(command, "--rootless")
		}
		return command
	}}
}

// extract is test/extract, which stands for `crane export | tar -x`.
func (f flattening) extract(b *testing.B) *entrant {
	program := buildHere(b, "extract")
	return &entrant{name: "crane-export | tar", command: func(dir string) []string {
		return []string{program, f.dir, dir}
	}}
}

// tar extracts the layers over one another. It knows no whiteouts and checks
// no digests, so it does less work.
func (f flattening) tar() *entrant {
	return &entrant{name: "tar, layer by layer", command: func(dir string) []string {
		each := `cd "$0" && for layer; do tar -xf "$layer" --numeric-owner || exit; done`
		return append([]string{"sh", "-c", each, dir}, f.layers...)
	}}
}

// inflate is test/inflate on the largest layer.
func (f flattening) inflate(b *testing.B) *entrant {
	program := buildHere(b, "inflate")
	return &entrant{name: "inflate the largest", command: func(string) []string {
		return []string{program, "inflate", f.largest}
	}}
}

// gunzip is gzip on the largest layer; it copies an uncompressed one.
func (f flattening) gunzip() *entrant {
	return &entrant{name: "gzip of the largest", command: func(string) []string {
		return []string{"sh", "-c", `exec gzip -dcf "$0" >/dev/null`, f.largest}
	}}
}

// write extracts the tree from an archive in the page cache, without owners,
// modes and times, as a bundle has none. cp would also open every file.
func (f flattening) write(b *testing.B, u user) *entrant {
	archive := f.dir + ".tree.tar"
	f.once(b, u, func(bundle string) {
		output(b, u.command("tar", "-C", filepath.Join(bundle, "rootfs"), "--sparse", "-cf", archive, "."))
	})
	return &entrant{name: "write the tree", command: func(dir string) []string {
		return []string{"tar", "-C", dir, "-x", "--touch", "--no-same-owner", "--no-same-permissions", "--blocking-factor=512", "-f", archive}
	}}
}
