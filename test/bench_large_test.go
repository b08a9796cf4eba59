// SPDX-License-Identifier: Apache-2.0

package test

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkMkext4Large makes ext4 images of a 10 GiB file that is nearly all
// holes, and of a 4 GiB file without holes.
func BenchmarkMkext4Large(b *testing.B) {
	need(b, "time", "mkfs.ext4")
	b.Run("sparse", func(b *testing.B) {
		size := scaled[int64](10 << 30)
		// tar2ext4 writes out the holes.
		benchmarkLarge(b, true, func(f *os.File) error { return writeSparse(f, size) })
	})
	b.Run("dense", func(b *testing.B) {
		benchmarkLarge(b, false, func(f *os.File) error {
			_, err := io.CopyN(f, rand.NewChaCha8([32]byte{}), scaled[int64](4<<30))
			return err
		})
	})
}

// benchmarkLarge measures a directory with the one file that write makes.
func benchmarkLarge(b *testing.B, tarOnce bool, write func(*os.File) error) {
	u := newUser(b, uint32(os.Getuid()))
	dir := filepath.Join(u.home, "tree")
	w := workload{bundle: dir, tree: dir, tar: filepath.Join(u.home, "tree.tar")}
	if err := os.Mkdir(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "large"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := write(f); err != nil {
		b.Fatal(err)
	}
	output(b, u.command("tar", "-C", dir, "--sparse", "-cf", w.tar, "."))

	made := w.first(b, u)
	c := contest{w.banger(), w.mkfs(made)}
	for _, e := range w.tar2ext4(b) {
		e.once = tarOnce
		c = append(c, e)
	}
	c = append(c, copyOfFile(made))
	for b.Loop() {
		c.round(b, u)
	}
	report(b, c)
}

// writeSparse writes data at 64 places and at the end of a file of the size.
func writeSparse(f *os.File, size int64) error {
	noise := smallNoise(1, 64<<10)
	for n := range int64(64) {
		if _, err := f.WriteAt(noise, size/64*n); err != nil {
			return err
		}
	}
	_, err := f.WriteAt(noise, size-int64(len(noise)))
	return err
}
