// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
)

// BenchmarkMkext4Image makes an ext4 image of the suite's image, grown by
// copies of its Debian to at least 1.5 GB in 70,000 entries.
func BenchmarkMkext4Image(b *testing.B) {
	need(b, "time", "umoci", "mkfs.ext4")
	u := newUser(b, uint32(os.Getuid()))
	w := u.grown(b, scaled(70_000), scaled[int64](1_500_000_000))
	made := w.first(b, u)
	c := append(contest{w.banger(), w.mkfs(made)}, w.tar2ext4(b)...)
	c = append(c, copyOfFile(made))
	for b.Loop() {
		c.round(b, u)
	}
	var holds record
	fromJSON(b, read(b, filepath.Join(w.bundle, "image.json")), &holds)
	b.Logf("%d entries, %.2f GB", holds.Entries, float64(holds.ContentBytes)/1e9)
	report(b, c)
}

// grown returns the workload of the suite's image with copies of its lowest
// layer on top, until it has the number of entries and the size.
func (u user) grown(b *testing.B, entries int, size int64) (w workload) {
	b.Helper()
	i := image{filepath.Join(u.home, "grown"), debian(b).tag}
	output(b, exec.Command("cp", "-a", debian(b).dir, i.dir))
	base, layer := bootstrap(b), filepath.Join(u.home, "layer.tar")
	for n := 0; entries > 0 || size > 0; n++ {
		writeTar(b, layer, func(to *tar.Writer) error {
			have, held, err := copyTar(to, base, fmt.Sprintf("srv/copy-%d", n))
			entries, size = entries-have, size-held
			return err
		})
		output(b, exec.Command("umoci", "raw", "add-layer", "--image", i.String(), layer))
	}
	w = workload{bundle: filepath.Join(u.home, "grown.bundle"), tar: filepath.Join(u.home, "grown.tar")}
	output(b, u.command("banger-flatten", "-o", w.bundle, i.String()))
	w.tree = filepath.Join(w.bundle, "rootfs")
	if os.Getuid() == 0 {
		u.unpack(b, i, filepath.Join(u.home, "umoci"))
		w.tree = filepath.Join(u.home, "umoci/rootfs")
	}
	// Keep mtime only.
	output(b, u.command("tar", "-C", w.tree, "--format=posix", "--pax-option=delete=atime,delete=ctime", "--numeric-owner",
		"--xattrs", "--xattrs-include=*", "--sort=name", "-cf", w.tar, "."))
	return w
}

// copyTar copies the archive at base to w, with every path below dir. It
// returns the number of entries and of content bytes.
func copyTar(w *tar.Writer, base, dir string) (entries int, size int64, err error) {
	f, err := os.Open(base)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; entries++ {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries, size, nil
		}
		if err != nil {
			return 0, 0, err
		}
		h.Name = path.Join(dir, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			h.Name += "/"
		case tar.TypeLink:
			h.Linkname = path.Join(dir, h.Linkname)
		}
		h.Format = tar.FormatPAX
		if err := w.WriteHeader(h); err != nil {
			return 0, 0, err
		}
		n, err := io.Copy(w, r)
		if err != nil {
			return 0, 0, err
		}
		size += n
	}
}
