// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestVerifyCache checks the error if layers are not in the cache, and that
// the command in its hint fetches them.
func TestVerifyCache(t *testing.T) {
	u := newUser(t, nobody)
	rootfs, ref := u.verifiable(t)
	img := smallImage(t)
	layer, config, manifest := digests(t, img)
	for name, remove := range map[string]string{
		"everything": u.cache(), "the blobs": filepath.Join(u.cache(), "blobs"), "a layer": blobPath(u.cache(), layer),
		"the config": blobPath(u.cache(), config), "the manifest": blobPath(u.cache(), manifest),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(remove); err != nil {
				t.Fatal(err)
			}
			o := finish(t, u.command("banger-verify", rootfs))
			o.failed(t, []int{66}, "banger-verify: ", rootfs, "the layers of "+manifest+" are not in the cache")
			hint := regexp.MustCompile(`\nhint: (.*) gets them; or use --against`).FindStringSubmatch(o.stderr)
			if hint == nil || hint[1] != "banger-fetch "+ref+"@"+manifest {
				t.Fatalf("%q", o.stderr)
			}
			output(t, u.command("sh", "-c", hint[1]))
			u.agrees(t, rootfs)
		})
	}
}

// TestVerifyCacheOfLayout checks that no hint names a reference without a
// registry, or one that contains a shell command.
func TestVerifyCacheOfLayout(t *testing.T) {
	u := newUser(t, nobody)
	rootfs, _ := u.verifiable(t)
	if err := os.RemoveAll(u.cache()); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(filepath.Dir(rootfs), "image.json")
	if !filepath.IsAbs(record) {
		record = filepath.Join(u.home, record)
	}
	whole := regexp.MustCompile(`"reference": "[^"]*"`)
	for _, reference := range []string{"", "small", "small:1", "example.org/a; touch x"} {
		damage(t, record, func(b []byte) []byte { return whole.ReplaceAll(b, []byte(`"reference": "`+reference+`"`)) })
		o := finish(t, u.command("banger-verify", rootfs))
		o.failed(t, []int{66}, "banger-verify: ", rootfs, "are not in the cache")
		if !strings.Contains(o.stderr, "\nhint: use --against with the bundle or layout") {
			t.Errorf("%q", o.stderr)
		}
	}
}

// TestVerifyNoRecord checks that an ext4 file without an image.json is
// compared only with what --against names.
func TestVerifyNoRecord(t *testing.T) {
	u := newUser(t, nobody)
	rootfs, _ := u.verifiable(t)
	output(t, u.command("cp", "--sparse=always", rootfs, "alone.ext4"))
	o := finish(t, u.command("banger-verify", "alone.ext4"))
	o.failed(t, []int{66}, "banger-verify: alone.ext4: ", "image.json")
	if !strings.Contains(o.stderr, "\nhint: use --against with the bundle") {
		t.Errorf("%q", o.stderr)
	}
	u.agrees(t, "--against", "small.bundle", "alone.ext4")
}

// TestVerifyEdited checks that edits of the manifest are differences from the
// layers, and that a hint names the bundle to compare with.
func TestVerifyEdited(t *testing.T) {
	u := newUser(t, nobody)
	rootfs, _ := u.verifiable(t)
	edit := func(file, script string) { output(t, u.command("sed", "-i", script, file)) }
	edit("small.bundle/rootfs.mtree", `/^\.\/usr\/lib\/zeros /s/ uid=0 / uid=33 /`)
	u.agrees(t, rootfs) // made before the edit
	output(t, u.command("banger-mkext4", "-f", "--size=16M", "small.bundle"))
	o := finish(t, u.command("banger-verify", rootfs))
	want := differing(rootfs, "./usr/lib/zeros: uid: expected 0, found 33") +
		"hint: rootfs.mtree was edited after banger-flatten; use --against with the bundle\n"
	if o != (outcome{"\n", want, 65}) {
		t.Errorf("%+v", o)
	}
	u.agrees(t, "--against", "small.bundle", rootfs)
	edit("small.bundle/rootfs.mtree", `/^\.\/usr\/lib\/zeros /s/ uid=33 / uid=34 /`)
	o = finish(t, u.command("banger-verify", "--against=small.bundle", rootfs))
	if o != (outcome{"\n", differing(rootfs, "./usr/lib/zeros: uid: expected 34, found 33"), 65}) {
		t.Errorf("%+v", o)
	}
	output(t, u.command("sh", "-c", "echo >>small.bundle/rootfs/etc/gshadow"))
	finish(t, u.command("banger-verify", "--against=small.bundle", rootfs)).failed(t, []int{65}, "banger-verify: ", "rootfs.mtree:", "./etc/gshadow")
}

// TestVerifyDirectory compares an image of a plain directory with it.
func TestVerifyDirectory(t *testing.T) {
	need(t, "mkfs.ext4")
	for _, id := range []uint32{0, nobody} {
		for _, populate := range []string{"mkfs", "direct"} {
			t.Run(fmt.Sprintf("%d/%s", id, populate), func(t *testing.T) {
				u := newUser(t, id)
				const tree = `mkdir -p tree/sub && cd tree && echo 1 >f && ln f sub/g && ln -s f link && mkfifo fifo && chmod 0711 f &&
					truncate -s 1M holes && echo 2 >>holes`
				output(t, u.command("sh", "-c", tree))
				if err := unix.Setxattr(filepath.Join(u.home, "tree/holes"), "user.note", []byte("1"), 0); err != nil {
					t.Fatal(err)
				}
				output(t, u.command("banger-mkext4", "--size=16M", "--populate="+populate, "tree"))
				u.agrees(t, "--against", "tree", "tree.ext4")
				finish(t, u.command("banger-verify", "tree.ext4")).failed(t, []int{66}, "banger-verify: tree.ext4: ")
				output(t, u.command("sh", "-c", "echo 3 >tree/sub/g"))
				o := finish(t, u.command("banger-verify", "--against=tree", "tree.ext4"))
				if o.code != 65 || !strings.Contains(o.stderr, "./f: content differs\n") || !strings.Contains(o.stderr, ": 2 differences\n") {
					t.Errorf("%+v", o)
				}
			})
		}
	}
}

// TestVerifyLayout compares an image with another program's layout, where the
// digest selects one of several images.
func TestVerifyLayout(t *testing.T) {
	need(t, "mkfs.ext4", "skopeo", "umoci")
	u := newUser(t, nobody)
	ref := newFaultRegistry(t).push(t, "small:1", smallImage(t))
	layout := filepath.Join(u.home, "layout")
	output(t, u.command("mkdir", layout))
	skopeo(t, "copy", "--quiet", "--src-tls-verify=false", "docker://"+ref, "oci:"+layout+":one")
	output(t, exec.Command("umoci", "tag", "--image", layout+":one", "again"))
	other := newFaultRegistry(t).push(t, "small:2", smallVariant(t, 2))
	skopeo(t, "copy", "--quiet", "--src-tls-verify=false", "docker://"+other, "oci:"+layout+":other")
	output(t, exec.Command("chmod", "-R", "a+rX", layout))
	rootfs := output(t, u.command("sh", "-c", `banger-flatten -o x.bundle "$1" | banger-mkext4 --size=16M`, "sh", layout+":one"))
	u.agrees(t, rootfs)
	for _, against := range []string{layout, layout + ":one", layout + ":again", layout + "@" + digestOf(t, ref)} {
		u.agrees(t, "--against", against, rootfs)
	}
	o := finish(t, u.command("banger-verify", "--against", layout+":other", rootfs))
	if want := differing(rootfs, "./etc/variant: missing from the image", "./usr/lib/own: missing from the image"); o != (outcome{"\n", want, 65}) {
		t.Errorf("%+v", o)
	}
	finish(t, u.command("banger-verify", "--against", layout+":none", rootfs)).failed(t, []int{66}, "banger-verify: ", "none")
	finish(t, u.command("banger-verify", "--against", "none", rootfs)).failed(t, []int{66}, "banger-verify: ", "none")
}
