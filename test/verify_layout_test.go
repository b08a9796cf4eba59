// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// putLayout copies an image into the OCI image layout dir as name.
func (u user) putLayout(t testing.TB, dir, name string, img v1.Image) {
	t.Helper()
	need(t, "skopeo")
	ref := newFaultRegistry(t).push(t, "small:1", img)
	// Skopeo takes no colon in the name of a directory.
	plain := filepath.Join(u.home, "copied")
	output(t, u.command("mkdir", "-p", filepath.Dir(dir), plain))
	skopeo(t, "copy", "--quiet", "--src-tls-verify=false", "docker://"+ref, "oci:"+plain+":"+name)
	output(t, exec.Command("chmod", "-R", "a+rX", plain))
	output(t, u.command("cp", "-r", plain, dir))
	output(t, exec.Command("rm", "-r", plain))
}

// TestVerifyOwnLayout: the pipeline verifies an image whose layers are in a
// layout other than the cache, whatever the path of the layout, and the
// published image does not record that path.
func TestVerifyOwnLayout(t *testing.T) {
	need(t, "mkfs.ext4")
	img := smallImage(t)
	for _, dir := range []string{"app", "a dir/../b/été:1@2", "odd\xff%41\"'\\$(x)", "link"} {
		t.Run(dir, func(t *testing.T) {
			u := newUser(t, nobody)
			output(t, u.command("mkdir", "-p", "a dir", "b", "elsewhere", "other"))
			output(t, u.command("ln", "-s", "other/way", "link"))
			place := dir // a path relative to the home
			if dir == "link" {
				place = "other/way"
			}
			u.putLayout(t, filepath.Join(u.home, place), "1", img)
			const pipeline = `banger-flatten -o x.bundle "$1:1" | banger-mkext4 --size=16M | banger-verify | banger-register --name x`
			published := output(t, u.command("sh", "-c", pipeline, "sh", dir))
			if published == "" {
				t.Fatal("nothing published")
			}
			for _, document := range []string{"image.json", "config.json"} {
				text := read(t, filepath.Join(published, document))
				if strings.Contains(text, u.home) || strings.Contains(text, `"layout"`) {
					t.Errorf("%s keeps a path of the host:\n%s", document, text)
				}
			}
			if names := list(t, published); strings.Join(names, " ") != "config.json image.json initrd.img rootfs.ext4" {
				t.Errorf("published: %q", names)
			}
			output(t, u.command("rm", "link")) // which is not needed any more
			bundle := filepath.Join(u.home, "x.bundle")
			elsewhere := u.command("banger-verify", bundle)
			elsewhere.Dir = filepath.Join(u.home, "elsewhere")
			if o := finish(t, elsewhere); o != (outcome{stdout: bundle + "\n"}) {
				t.Errorf("from another directory: %+v", o)
			}
			output(t, u.command("banger-mkext4", "--size=16M", "-o", "elsewhere/x.ext4", bundle))
			u.agrees(t, "elsewhere/x.ext4")
			if text := read(t, filepath.Join(u.home, "elsewhere/x.ext4.json")); strings.Contains(text, u.home) {
				t.Errorf("FILE.json keeps a path of the host:\n%s", text)
			}
		})
	}
}

// TestVerifyLayoutChanged: the layers of an image are never taken from another
// image, nor from damaged blobs, at the place of the layout it was made from.
func TestVerifyLayoutChanged(t *testing.T) {
	need(t, "mkfs.ext4")
	u := newUser(t, nobody)
	app := filepath.Join(u.home, "app")
	u.putLayout(t, app, "1", smallImage(t))
	u.putLayout(t, filepath.Join(u.home, "other"), "1", smallVariant(t, 2))
	layer, _, manifest := digests(t, smallImage(t))
	rootfs := output(t, u.command("sh", "-c", "banger-flatten app:1 | banger-mkext4 --size=16M"))
	output(t, u.command("mv", "app", "kept"))
	for _, c := range []struct {
		name, script string
		code         int
		says         []string
	}{
		{"moved", "true", 66, []string{app, manifest, "\nhint: use --against "}},
		{"another image", "cp -r other app", 66, []string{app, manifest, "\nhint: use --against "}},
		{"a file", "touch app", 66, []string{app, manifest, "\nhint: use --against "}},
		{"a layer is missing", "cp -r kept app && rm app/blobs/sha256/" + encoded(layer), 66, []string{app, manifest, "\nhint: use --against "}},
		{"a layer is another", "cp -r kept app && truncate -s -1 app/blobs/sha256/" + encoded(layer), 65, []string{encoded(layer)[:12]}},
		{"a relative path", `sed -i 's|"layout": "[^"]*"|"layout": "kept"|' app-1.bundle/image.json`, 65, []string{"image.json", "layout"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			record := filepath.Join(u.home, "app-1.bundle/image.json")
			whole := read(t, record)
			output(t, u.command("sh", "-euc", c.script))
			o := finish(t, u.command("banger-verify", rootfs))
			o.failed(t, []int{c.code}, "banger-verify: ", rootfs)
			for _, words := range c.says {
				if !strings.Contains(o.stderr, words) {
					t.Errorf("no %q in %q", words, o.stderr)
				}
			}
			output(t, u.command("rm", "-rf", "app"))
			if err := os.WriteFile(record, []byte(whole), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
	u.agrees(t, "--against", "kept", rootfs)
	output(t, u.command("sh", "-c", "mkdir -p .cache/banger && cp -r kept .cache/banger/oci"))
	u.agrees(t, rootfs) // the cache has the same layers
	output(t, u.command("sh", "-c", "rm -r .cache && cp -r other app && cp -r kept/blobs app && cp kept/index.json app"))
	u.agrees(t, rootfs) // and so does a layout with another image's blobs among them
}

// TestVerifyCacheRecorded: a bundle made from the cache does not record where
// the cache is.
func TestVerifyCacheRecorded(t *testing.T) {
	u := newUser(t, nobody)
	rootfs, _ := u.verifiable(t)
	if text := read(t, filepath.Join(filepath.Dir(rootfs), "image.json")); strings.Contains(text, u.home) {
		t.Errorf("%s", text)
	}
}

func encoded(digest string) string { return strings.TrimPrefix(digest, "sha256:") }
