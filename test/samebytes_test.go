// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// elsewhere runs a command in another directory, with another umask, time zone
// and locale.
func elsewhere(cmd *exec.Cmd) *exec.Cmd {
	cmd.Args = append([]string{"sh", "-c", `umask 077 && cd / && exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.Env = append(cmd.Env, "TZ=Asia/Kathmandu", "LC_ALL=tr_TR.UTF-8", "LANG=C")
	return cmd
}

// TestSameBytes checks that the image of a bundle does not depend on the user,
// directory, umask, time zone, locale, processors or host filesystem.
func TestSameBytes(t *testing.T) {
	needRoot(t)
	need(t, "mkfs.ext4", "e2fsck", "mount", "umount")
	u := newUser(t, nobody)
	ref := newFaultRegistry(t).push(t, "rich:1", richImage(t))
	output(t, u.command("sh", "-c", `banger-fetch "$1" | banger-flatten -o rich.bundle`, "sh", ref))
	bundle := filepath.Join(u.home, "rich.bundle")
	image := output(t, u.mkext4(bundle))
	fsck(t, image)
	want := hash(t, image)

	// Outside the bundle, in a directory each, as image.json goes there too.
	out := func(name string) []string { return []string{"-o", filepath.Join(u.place(t), name+".ext4")} }
	root, moved := newUser(t, 0), copyBundle(t, bundle, filepath.Join(u.place(t), "other.bundle"))
	inMemory, onDisk := copyBundle(t, bundle, memory(t)+"/x"), copyBundle(t, bundle, smallBlocks(t)+"/x")
	for _, c := range []struct {
		name string
		cmd  *exec.Cmd
	}{
		{"root", root.mkext4(bundle, "-o", filepath.Join(root.home, "x.ext4"))},
		{"elsewhere", elsewhere(u.mkext4(bundle, out("elsewhere")...))},
		{"a place of another name", u.mkext4(moved)},
		{"one processor", withEnv(u.mkext4(bundle, out("one")...), "GOMAXPROCS=1")},
		{"two processors", withEnv(u.mkext4(bundle, out("two")...), "GOMAXPROCS=2")},
		{"eight processors", withEnv(u.mkext4(bundle, out("eight")...), "GOMAXPROCS=8")},
		{"in memory", u.mkext4(inMemory)},
		{"blocks of 1 KiB", u.mkext4(onDisk)},
		{"again", u.mkext4(bundle, "-f")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := hash(t, output(t, c.cmd)); got != want {
				t.Errorf("sha256 %s, want %s", got, want)
			}
		})
	}
}

// copyBundle copies a bundle without its image, with owners and holes.
func copyBundle(t testing.TB, bundle, to string) string {
	t.Helper()
	output(t, exec.Command("cp", "-a", "--sparse=always", bundle, to))
	for _, name := range []string{"rootfs.ext4", "rootfs.ext4.json"} {
		if err := os.Remove(filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// smallBlocks returns a directory on an ext4 with 1 KiB blocks: holes have
// other limits, and readdir another order.
func smallBlocks(t testing.TB) string {
	t.Helper()
	file := filepath.Join(memory(t), "small.ext4")
	output(t, exec.Command("truncate", "--size=2G", file))
	output(t, exec.Command(which("mkfs.ext4"), "-q", "-b", "1024", file))
	root, _ := mountWritable(t, file)
	return root
}

// richImage is smallImage with a wide directory, long extent trees, and what
// only one of the fillers keeps.
func richImage(t testing.TB) v1.Image {
	t.Helper()
	var w smallTar
	for i := range 2000 {
		w.file(fmt.Sprintf("srv/wide/%d", i), 0o644, smallNoise(uint64(i), i%3*100))
	}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 5 {
		var content strings.Builder
		for range 300 {
			content.WriteString(zeros(r.IntN(3)) + ones(r.IntN(3)))
		}
		w.file(fmt.Sprintf("srv/sparse-%d", i), 0o600, []byte(content.String()))
	}
	if testedFiller.keepsAll {
		w.link(tar.TypeSymlink, "srv/link", "wide/1")
		w.link(tar.TypeLink, "srv/link-too", "srv/link")
		for i := range 50 {
			w.add(tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("srv/noted-%d", i), Mode: 0o644, PAXRecords: map[string]string{
				"SCHILY.xattr.user.note":  strings.Repeat("n", i/10*1000),
				"SCHILY.xattr.user.large": strings.Repeat("l", i/25*20000),
			}}, nil)
		}
	}
	return smallLayers(t, smallBase(t), smallMiddle(t), smallTop(t), w.layer(t))
}
