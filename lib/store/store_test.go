// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"banger/lib/bundle"
	"banger/lib/ext4"
	"banger/lib/status"
	"banger/lib/tree"
)

var now = time.Unix(1700000000, 0)

// rootfs makes a small ext4 file, with image.json beside it if reference is
// not "".
func rootfs(t *testing.T, dir, reference string) string {
	t.Helper()
	mkfs, err := ext4.FindMkfs(context.Background())
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	path := filepath.Join(dir, bundle.Ext4File)
	write(t, path, "")
	o := ext4.Options{Tree: tree.New(tree.Inode{Mode: 0o755}), Root: t.TempDir(), Size: 16 << 20, Free: -1, Seed: [32]byte{31: 1}}
	if err := mkfs.Create(context.Background(), path, o); err != nil {
		t.Fatal(err)
	}
	if reference != "" {
		write(t, filepath.Join(dir, bundle.ConfigFile), `{"config":{"Cmd":["/bin/app"]}}`)
		write(t, filepath.Join(dir, bundle.RecordFile), `{"version":1,"reference":"`+reference+`","entries":3}`)
	}
	return path
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestPublish(t *testing.T) {
	dir := t.TempDir()
	s, source := Open(filepath.Join(dir, "state")), filepath.Join(dir, "x")
	p := Publication{Rootfs: rootfs(t, source, "docker.io/library/debian:bookworm"), Now: now}
	image, err := s.Publish(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	if image.Name != "debian-bookworm" || image.Dir != filepath.Join(dir, "state/images/debian-bookworm") ||
		!image.Managed || !image.Registered.Equal(now) || image.Entries != 3 || image.Kernel != nil {
		t.Errorf("%+v, record %+v", image, image.Record)
	}
	if e := image.Ext4; e == nil || e.Size != 16<<20 || len(e.SHA256) != 64 || e.FreeBytes == 0 || e.UUID == "" {
		t.Errorf("ext4 %+v", image.Ext4)
	}
	if got := names(t, image.Dir); got != "config.json image.json rootfs.ext4" {
		t.Errorf("it holds %s", got)
	}
	if info, err := os.Stat(filepath.Join(image.Dir, "rootfs.ext4")); err != nil || info.Mode() != 0o444 {
		t.Errorf("a master that can be written to: %v, %v", info.Mode(), err)
	}
	if got := names(t, source); got != "config.json image.json rootfs.ext4" {
		t.Errorf("the source became %s", got)
	}
	if got := names(t, filepath.Join(dir, "state/images")); got != "debian-bookworm" {
		t.Errorf("among the images: %s", got)
	}
}

func TestPublishOver(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	p := Publication{Rootfs: rootfs(t, filepath.Join(dir, "x"), ""), Name: "a", Now: now}
	first, err := s.Publish(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(first.Dir, "old"), "")
	if _, err := s.Publish(context.Background(), p); status.Of(err) != status.Create {
		t.Errorf("over an image: %v", err)
	}
	p.Replace = true
	second, err := s.Publish(context.Background(), p)
	if err != nil || names(t, second.Dir) != "image.json rootfs.ext4" {
		t.Errorf("in place of an image: %v, %s", err, names(t, second.Dir))
	}
	write(t, filepath.Join(dir, "images/theirs/file"), "")
	p.Name = "theirs"
	if _, err := s.Publish(context.Background(), p); status.Of(err) != status.Create {
		t.Errorf("in place of what is no image: %v", err)
	}
	if got := names(t, filepath.Join(dir, "images")); got != "a theirs" {
		t.Errorf("among the images: %s", got)
	}
}

// A file in a staging directory of the store is not copied.
func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	staging := filepath.Join(dir, "images/.a.staging-AAAAAAAAAAAAAAAA")
	path := rootfs(t, staging, "docker.io/library/a:1")
	write(t, path+bundle.Ext4Record, `{"uuid":"`+uuid(t, path)+`","mkfs":"1.47.0"}`)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	image, err := Open(dir).Publish(context.Background(), Publication{Rootfs: path, Name: "a", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(filepath.Join(image.Dir, bundle.Ext4File))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("another file: %v", err)
	}
	if image.Ext4.Mkfs != "1.47.0" {
		t.Errorf("made by mkfs.ext4 %q", image.Ext4.Mkfs)
	}
	if got := names(t, filepath.Join(dir, "images")) + ": " + names(t, image.Dir); got != "a: config.json image.json rootfs.ext4" {
		t.Error(got)
	}
}

func uuid(t *testing.T, path string) string {
	t.Helper()
	m, err := ext4.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	return m.UUID()
}

// Documents beside an ext4 file that describe another are refused.
func TestCompanionOfAnother(t *testing.T) {
	dir := t.TempDir()
	path := rootfs(t, filepath.Join(dir, "x"), "docker.io/library/a:1")
	write(t, path+bundle.Ext4Record, `{"uuid":"11111111-1111-1111-1111-111111111111"}`)
	if _, err := Open(dir).Publish(context.Background(), Publication{Rootfs: path, Now: now}); status.Of(err) != status.Bad {
		t.Errorf("status %d: %v", status.Of(err), err)
	}
	if got := names(t, filepath.Join(dir, "images")); got != "" {
		t.Errorf("left %s", got)
	}
}

// Files are copied, and the targets of symlinks, except links to the kernel's
// sources.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "k/linux"), "kernel")
	write(t, filepath.Join(dir, "k/ramdisk"), "initrd")
	content := string(module(t, "6.1", "").Data)
	write(t, filepath.Join(dir, "k/6.1/kernel/a.ko"), content)
	for from, to := range map[string]string{"kernel/b.ko": "a.ko", "build": "/usr/src/linux"} {
		if err := os.Symlink(to, filepath.Join(dir, "k/6.1", from)); err != nil {
			t.Fatal(err)
		}
	}
	b := Files(filepath.Join(dir, "k/linux"), filepath.Join(dir, "k/ramdisk"), filepath.Join(dir, "k/6.1"))
	image, err := Open(dir).Publish(context.Background(), Publication{
		Rootfs: rootfs(t, filepath.Join(dir, "x"), ""), Name: "a", Kernel: b, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := bundle.Kernel{Vmlinux: "vmlinux", Initrd: "initrd.img", Modules: "modules.ext4"}
	if *image.Kernel != want {
		t.Errorf("%+v", image.Kernel)
	}
	for name, content := range map[string]string{"vmlinux": "kernel", "initrd.img": "initrd"} {
		if raw, err := os.ReadFile(filepath.Join(image.Dir, name)); err != nil || string(raw) != content {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
	}
	modules := modulesOf(t, image.Dir)
	if raw, err := fs.ReadFile(modules, "kernel/b.ko"); err != nil || string(raw) != content {
		t.Errorf("b.ko: %q, %v", raw, err)
	}
	if _, err := fs.Stat(modules, "build"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("build: %v", err)
	}
}

// A part that is given and does not exist is an error.
func TestFilesMissing(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "linux"), "kernel")
	for _, name := range []string{"a.ko", "z/z.ko"} {
		write(t, filepath.Join(dir, "mods/kernel", name), string(module(t, "6.1.0", "").Data))
		write(t, filepath.Join(dir, "bad/kernel", name), "module")
	}
	if err := os.Symlink("/nowhere", filepath.Join(dir, "bad/kernel/b.ko")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		vmlinux, initrd, modules string
		code                     status.Code
		words                    string
	}{
		{"linux", "linux", "mods", status.OK, ""},
		{"none", "", "", status.NoInput, "/none: "},
		{"linux", "none", "", status.NoInput, "/none: "},
		{"linux", "", "none", status.NoInput, "/none: "},
		{"linux", "linux/none", "mods", status.Failed, "/none: "},
		{"linux", "", "bad", status.Bad, "b.ko"},
	} {
		b := Files(filepath.Join(dir, c.vmlinux), inDir(dir, c.initrd), inDir(dir, c.modules))
		into := t.TempDir()
		r, err := b.stageInto(context.Background(), into)
		if status.Of(err) != c.code || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%+v: status %d, %+v, %v", c, status.Of(err), r, err)
		}
		if err != nil {
			continue
		}
		if _, err := fs.Stat(modulesOf(t, into), "kernel/z/z.ko"); err != nil || r.Initrd == "" {
			t.Errorf("%+v: %+v, %v", c, r, err)
		}
	}
}

func inDir(dir, name string) string {
	if name == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

func TestListAndRemove(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	if all, err := s.Images(nil); err != nil || len(all) > 0 {
		t.Errorf("of a store that is not there yet: %v, %v", all, err)
	}
	for _, name := range []string{"b", "a", ".c.staging-AAAAAAAAAAAAAAAA"} {
		write(t, filepath.Join(dir, "images", name, "image.json"), `{"version":1,"ext4":{}}`)
	}
	write(t, filepath.Join(dir, "images/none/file"), "")
	write(t, filepath.Join(dir, "images/new/image.json"), `{"version":2}`)
	var listed, skipped []string
	all, err := s.Images(func(err error) { skipped = append(skipped, err.Error()) })
	for _, image := range all {
		listed = append(listed, image.Name)
	}
	if err != nil || strings.Join(listed, " ") != "a b" || len(skipped) != 2 {
		t.Errorf("%v: %q, skipped %q", err, listed, skipped)
	}
	if err := s.Remove("a"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"a", "none"} {
		if err := s.Remove(name); status.Of(err) != status.NoInput {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := names(t, filepath.Join(dir, "images")); got != ".c.staging-AAAAAAAAAAAAAAAA b new none" {
		t.Errorf("left %s", got)
	}
}

func TestNamesRefused(t *testing.T) {
	s := Open(t.TempDir())
	path := rootfs(t, filepath.Join(t.TempDir(), "x"), "")
	for _, name := range []string{".", "..", "a/b", "../a", "/a", ".hidden", "-f", "a b", "a\nb", "\u00e9", "a:1", strings.Repeat("a", 129)} {
		if _, err := s.Image(name); status.Of(err) != status.Usage {
			t.Errorf("Image(%q): %v", name, err)
		}
		if err := s.Remove(name); status.Of(err) != status.Usage {
			t.Errorf("Remove(%q): %v", name, err)
		}
		if _, err := s.Publish(context.Background(), Publication{Rootfs: path, Name: name, Now: now}); status.Of(err) != status.Usage {
			t.Errorf("Publish(%q): %v", name, err)
		}
	}
	for _, name := range []string{"a", "9", "A.b_c+d-e", strings.Repeat("a", 128)} {
		if _, err := s.Image(name); status.Of(err) != status.NoInput {
			t.Errorf("Image(%q): %v", name, err)
		}
	}
	if _, err := s.Publish(context.Background(), Publication{Rootfs: path, Now: now}); status.Of(err) != status.Usage {
		t.Errorf("nothing to make a name from: %v", err)
	}
}

// A file that is not ext4 or does not exist is not published, and leaves nothing.
func TestPublishNothing(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	write(t, filepath.Join(dir, "file"), strings.Repeat("x", 8192))
	for name, want := range map[string]status.Code{"file": status.Bad, "none": status.NoInput, "images": status.NoInput} {
		if _, err := s.Publish(context.Background(), Publication{Rootfs: filepath.Join(dir, name), Name: "a", Now: now}); status.Of(err) != want {
			t.Errorf("%s: status %d: %v", name, status.Of(err), err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "images"), 0o777); err != nil {
			t.Fatal(err)
		}
		if got := names(t, filepath.Join(dir, "images")); got != "" {
			t.Errorf("%s: left %s", name, got)
		}
	}
}

// Of concurrent removals, one succeeds and the others report that it does not
// exist.
func TestRemoveAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	for kind, remove := range map[string]func(string) error{"images": s.Remove, "kernels": s.RemoveKernel} {
		for round := range 50 {
			write(t, filepath.Join(dir, kind, "a/image.json"), `{"version":1,"ext4":{}}`)
			write(t, filepath.Join(dir, kind, "a/kernel.json"), `{"version":1}`)
			done := make(chan error)
			for range 8 {
				go func() { done <- remove("a") }()
			}
			removed := 0
			for range 8 {
				switch err := <-done; {
				case err == nil:
					removed++
				case status.Of(err) != status.NoInput:
					t.Errorf("%s, round %d: %v", kind, round, err)
				}
			}
			if removed != 1 {
				t.Errorf("%s, round %d: removed by %d", kind, round, removed)
			}
		}
	}
}

// A file among the images is not an image, and is not removed.
func TestRemoveNotDirectory(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	for kind, remove := range map[string]func(string) error{"images": s.Remove, "kernels": s.RemoveKernel} {
		write(t, filepath.Join(dir, kind, "a"), "")
		if err := remove("a"); status.Of(err) != status.NoInput {
			t.Errorf("%s: %v", kind, err)
		}
		if !exists(filepath.Join(dir, kind, "a")) {
			t.Errorf("%s: removed", kind)
		}
	}
}

// Removing a symlink among the images or kernels keeps its target.
func TestRemoveLink(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	s := Open(dir)
	write(t, filepath.Join(elsewhere, "image.json"), `{"version":1,"ext4":{}}`)
	write(t, filepath.Join(elsewhere, "kernel.json"), `{"version":1}`)
	for kind, remove := range map[string]func(string) error{"images": s.Remove, "kernels": s.RemoveKernel} {
		if err := os.MkdirAll(filepath.Join(dir, kind), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, filepath.Join(dir, kind, "a")); err != nil {
			t.Fatal(err)
		}
		if err := remove("a"); err != nil || names(t, filepath.Join(dir, kind)) != "" {
			t.Errorf("%s: %v, left %s", kind, err, names(t, filepath.Join(dir, kind)))
		}
	}
	if got := names(t, elsewhere); got != "image.json kernel.json" {
		t.Errorf("where it leads: %s", got)
	}
}

// Publish and AddKernel succeed even if the result is removed at once.
func TestMadeThenRemoved(t *testing.T) {
	dir := t.TempDir()
	s := Open(dir)
	rootfs := rootfs(t, filepath.Join(dir, "x"), "")
	for kind, c := range map[string]struct {
		remove func(string) error
		make   func() (path string, err error)
	}{
		"kernels": {s.RemoveKernel, func() (string, error) {
			k, err := add(t, s, "a", fstest.MapFS{"vmlinux": vmlinux("6.1")})
			if err != nil {
				return "", err
			}
			return k.Dir, nil
		}},
		"images": {s.Remove, func() (string, error) {
			image, err := s.Publish(context.Background(), Publication{Rootfs: rootfs, Name: "a", Now: now})
			if err != nil {
				return "", err
			}
			return image.Dir, nil
		}},
	} {
		for round := range 20 {
			removed := make(chan bool)
			go func() {
				for status.Of(c.remove("a")) == status.NoInput {
				}
				close(removed)
			}()
			path, err := c.make()
			if err != nil || path != filepath.Join(dir, kind, "a") {
				t.Fatalf("%s, round %d: %q, %v", kind, round, path, err)
			}
			<-removed
		}
	}
}

// Of two that replace each other, each gets its own record.
func TestMadeThenReplaced(t *testing.T) {
	s := Open(t.TempDir())
	done := make(chan error)
	for _, release := range []string{"6.1", "6.2"} {
		go func() {
			a := Addition{Name: "k", Files: fstest.MapFS{"vmlinux": vmlinux(release)}, Replace: true, Now: now}
			for range 20 {
				k, err := s.AddKernel(context.Background(), a)
				if err == nil && k.Release != release {
					err = fmt.Errorf("%s added, %s said", release, k.Release)
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	if err := errors.Join(<-done, <-done); err != nil {
		t.Error(err)
	}
}
