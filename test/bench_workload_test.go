// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// scaled returns n, or a hundredth of it with -short.
func scaled[N int | int64](n N) N {
	if testing.Short() {
		return n / 100
	}
	return n
}

// small is a workload of dirs directories with the number of files each, up to
// 1 KiB long. A hundred directories share a parent.
func small(b *testing.B, u user, dirs, files int) workload {
	b.Helper()
	path := filepath.Join(u.home, fmt.Sprintf("small-%d-%d", dirs, files))
	w := workload{tar: path + ".tar", bundle: path + ".bundle"}
	w.tree = filepath.Join(w.bundle, "rootfs")
	writeTar(b, w.tar, func(to *tar.Writer) error { return writeSmall(to, 0, dirs, files) })
	i := makeImage(b, path, "small", w.tar)
	output(b, u.command("banger-flatten", "-o", w.bundle, i.String()))
	if err := os.RemoveAll(i.dir); err != nil {
		b.Fatal(err)
	}
	return w
}

// manyFiles is an image of dirs directories of a hundred files, in four layers.
func (u user) manyFiles(b *testing.B, dirs int) image {
	b.Helper()
	path := filepath.Join(u.home, fmt.Sprintf("many-%d", dirs))
	var layers []string
	for n := range 4 {
		layers = append(layers, fmt.Sprintf("%s-%d.tar", path, n))
		writeTar(b, layers[n], func(to *tar.Writer) error {
			return writeSmall(to, dirs*n/4, dirs*(n+1)/4, 100)
		})
	}
	return makeImage(b, path, "many", layers...)
}

// writeSmall writes the directories numbered from up to, not including, to.
func writeSmall(w *tar.Writer, from, to, files int) error {
	noise := smallNoise(1, 2048)
	for d := from; d < to; d++ {
		name := fmt.Sprintf("%03d/", d/100)
		if d%100 == 0 {
			if err := writeEntry(w, tar.TypeDir, name, nil); err != nil {
				return err
			}
		}
		name += fmt.Sprintf("%02d/", d%100)
		if err := writeEntry(w, tar.TypeDir, name, nil); err != nil {
			return err
		}
		for f := range files {
			size := (d + f) * 37 % 1024
			if err := writeEntry(w, tar.TypeReg, fmt.Sprintf("%sfile-%06d", name, f), noise[f%1024:][:size]); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeEntry writes an entry with the minimal header that tar2ext4 can read.
func writeEntry(w *tar.Writer, kind byte, name string, data []byte) error {
	mode := int64(0o644)
	if kind == tar.TypeDir {
		mode = 0o755
	}
	h := &tar.Header{Typeflag: kind, Name: name, Mode: mode, Size: int64(len(data)), ModTime: time.Unix(1_700_000_000, 0)}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// writeTar creates the archive at path from what fill writes.
func writeTar(t testing.TB, path string, fill func(*tar.Writer) error) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buffer := bufio.NewWriterSize(f, 1<<20)
	w := tar.NewWriter(buffer)
	if err := fill(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := buffer.Flush(); err != nil {
		t.Fatal(err)
	}
}
