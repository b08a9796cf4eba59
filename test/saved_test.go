// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A savedImage is an image in umoci's layout, and its parts.
type savedImage struct {
	image
	digest, config string   // of the manifest; the document
	layers         []string // uncompressed archives
}

// newSavedImage makes an image of layers.
func newSavedImage(t testing.TB, layers ...[]entry) savedImage {
	t.Helper()
	dir := publicDir(t)
	var s savedImage
	var paths []string
	for n, entries := range layers {
		paths = append(paths, writeLayer(t, dir, n, entries))
		s.layers = append(s.layers, read(t, paths[n]))
	}
	s.image = makeImage(t, filepath.Join(dir, "layout"), "v1", paths...)
	output(t, exec.Command("chmod", "-R", "a+rX", s.dir))
	raw := inspect(t, "oci:"+s.String())
	var manifest v1.Manifest
	fromJSON(t, raw, &manifest)
	s.digest = "sha256:" + hexOf(raw)
	s.config = read(t, blobPath(s.dir, manifest.Config.Digest.String()))
	return s
}

func hexOf(content string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(content))) }

// savedLower and savedUpper are layers with what an archive may lose.
func savedLower() []entry {
	return []entry{
		directory("opt").owner(7, 8), file("opt/a", "linked").owner(1000, 70_000).xattr("user.note", "a\x00b"),
		hardlink("opt/b", "opt/a").owner(1000, 70_000), device(tar.TypeChar, "opt/null", 1, 3), symlink("opt/link", "a"),
		file("opt/setuid", "u").mode(0o4755), file("opt/gone", "gone"), file("opt/changed", "old"), file("opt/latin1-\xe9", "x"),
	}
}

func savedUpper() []entry {
	return []entry{whiteout("opt/gone"), file("opt/changed", "new").owner(1<<32-2, 3)}
}

// A savedTar is an archive that a test writes as docker save and podman save do.
type savedTar struct {
	t   testing.TB
	buf *bytes.Buffer
	*tar.Writer
}

func newSavedTar(t testing.TB) savedTar {
	var buf bytes.Buffer
	return savedTar{t, &buf, tar.NewWriter(&buf)}
}

func (w savedTar) add(entries ...entry) {
	w.t.Helper()
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// end returns the archive.
func (w savedTar) end() string {
	w.t.Helper()
	if err := w.Close(); err != nil {
		w.t.Fatal(err)
	}
	return w.buf.String()
}

// A savedItem is an image in manifest.json.
type savedItem struct {
	Config           string
	RepoTags, Layers []string
}

func savedJSON(name string, v any) entry {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return file(name, string(raw))
}

// legacy adds the files of docker save before Docker 25, without manifest.json.
func (w savedTar) legacy(s savedImage, tag string) savedItem {
	item := savedItem{Config: hexOf(s.config) + ".json", RepoTags: []string{tag}}
	w.add(file(item.Config, s.config))
	for n, layer := range s.layers {
		id := hexOf(fmt.Sprint(tag, n))
		w.add(directory(id), file(id+"/VERSION", "1.0"), file(id+"/json", `{"id":"`+id+`"}`), file(id+"/layer.tar", layer))
		item.Layers = append(item.Layers, id+"/layer.tar")
	}
	return item
}

// legacyArchive is an archive of docker save before Docker 25.
func legacyArchive(t testing.TB, s savedImage) string {
	w := newSavedTar(t)
	item := w.legacy(s, "acme/app:v1")
	top := filepath.Dir(item.Layers[len(item.Layers)-1])
	w.add(savedJSON("manifest.json", []savedItem{item}), savedJSON("repositories", map[string]any{"acme/app": map[string]string{"v1": top}}))
	return w.end()
}

// linkedArchive has links to the layers, as podman save writes them.
func linkedArchive(t testing.TB, s savedImage) string {
	w := newSavedTar(t)
	item := savedItem{Config: hexOf(s.config) + ".json", RepoTags: []string{"acme/app:v1"}}
	for n, layer := range s.layers {
		id := hexOf(fmt.Sprint(n))
		w.add(file(hexOf(layer)+".tar", layer), directory(id), symlink(id+"/layer.tar", "../"+hexOf(layer)+".tar"))
		item.Layers = append(item.Layers, id+"/layer.tar")
	}
	w.add(file(item.Config, s.config), savedJSON("manifest.json", []savedItem{item}))
	return w.end()
}

// dockerArchive is an archive of docker save since Docker 25: a layout, and a
// manifest.json beside it.
func dockerArchive(t testing.TB, s savedImage) string {
	w := newSavedTar(t)
	w.add(directory("blobs"), directory("blobs/sha256"))
	for _, name := range list(t, filepath.Join(s.dir, "blobs/sha256")) {
		w.add(file("blobs/sha256/"+name, read(t, filepath.Join(s.dir, "blobs/sha256", name))))
	}
	var manifest v1.Manifest
	fromJSON(t, inspect(t, "oci:"+s.String()), &manifest)
	item := savedItem{Config: "blobs/sha256/" + manifest.Config.Digest.Encoded(), RepoTags: []string{"acme/app:v1"}}
	for _, l := range manifest.Layers {
		item.Layers = append(item.Layers, "blobs/sha256/"+l.Digest.Encoded())
	}
	var index v1.Index
	fromJSON(t, read(t, filepath.Join(s.dir, "index.json")), &index)
	for n := range index.Manifests {
		index.Manifests[n].Annotations = map[string]string{"io.containerd.image.name": "docker.io/acme/app:v1", v1.AnnotationRefName: "v1"}
	}
	w.add(savedJSON("index.json", index), savedJSON("manifest.json", []savedItem{item}), file("oci-layout", read(t, filepath.Join(s.dir, "oci-layout"))))
	return w.end()
}

// written writes an archive where every user can read it.
func (s savedImage) written(t testing.TB, name, archive string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(s.dir), name)
	if err := os.WriteFile(path, []byte(archive), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// copied copies the image with skopeo to a form that the user can read. name is a
// file or directory and what follows it.
func (s savedImage) copied(t testing.TB, transport, name string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(s.dir), name)
	skopeo(t, "copy", "--quiet", "oci:"+s.String(), transport+":"+path)
	path, _, _ = strings.Cut(path, ":")
	output(t, exec.Command("chmod", "-R", "a+rX", path))
	return path
}

// TestSaved fetches an image from a registry and from all forms that skopeo, umoci,
// docker and podman save it in. The root filesystem is the same.
func TestSaved(t *testing.T) {
	needRoot(t)
	s, u := newSavedImage(t, savedLower(), savedUpper()), newUser(t, nobody)
	want := readTree(t, s.unpack(t))
	line := output(t, u.command("banger-fetch", s.push(t, startRegistry(t), "acme/app:v1")))
	manifest := read(t, filepath.Join(output(t, u.command("banger-flatten", "-C", u.place(t), line)), "rootfs.mtree"))
	layout := s.copied(t, "oci", "copy:v1")
	oci, docker := s.copied(t, "oci-archive", "app.oci.tar:v1"), s.copied(t, "docker-archive", "app.tar:acme/app:v1")
	legacy, linked := s.written(t, "legacy.tar", legacyArchive(t, s)), s.written(t, "linked.tar", linkedArchive(t, s))
	docker25 := s.written(t, "25.tar", dockerArchive(t, s))
	const acme = "docker.io/acme/app:v1"
	for _, c := range []struct {
		command, file, name string
		same                bool // as the manifest of the layout
	}{
		{`banger-fetch "oci:$1"`, s.dir, "localhost/layout:v1", true},
		{`banger-fetch "oci:$1:v1"`, layout, "localhost/copy:v1", true},
		{`echo "oci:$1" | banger-fetch`, layout, "localhost/copy:v1", true},
		{`banger-fetch "oci-archive:$1"`, oci, "localhost/app:v1", true},
		{`banger-fetch - <"$1"`, oci, "localhost/image:v1", true},
		{`cat "$1" | banger-fetch -`, oci, "localhost/image:v1", true},
		{`gzip <"$1" | banger-fetch -`, oci, "localhost/image:v1", true},
		{`banger-fetch "docker-archive:$1"`, docker, acme, false},
		{`banger-fetch "docker-archive:$1:acme/app:v1"`, docker, acme, false},
		{`banger-fetch - <"$1"`, docker, acme, false},
		{`cat "$1" | banger-fetch -`, docker, acme, false},
		{`cat "$1" | banger-fetch -`, legacy, acme, false},
		{`cat "$1" | banger-fetch -`, linked, acme, false},
		{`cat "$1" | banger-fetch -`, docker25, acme, true},
	} {
		t.Run(strings.ReplaceAll(c.command, "$1", filepath.Base(c.file)), func(t *testing.T) {
			place := u.place(t)
			cache := image{filepath.Join(place, "banger/oci"), c.name}
			line := output(t, withEnv(u.command("sh", "-c", c.command, "sh", c.file), "XDG_CACHE_HOME="+place))
			digest, found := strings.CutPrefix(line, cache.String()+"@")
			if !found || c.same && digest != s.digest {
				t.Errorf("printed %s, want %s@%s", line, cache, s.digest)
			}
			if got := cacheGood(t, cache.dir); got != digest+" "+c.name+"\n" {
				t.Errorf("the cache lists %q", got)
			}
			nothingLeft(t, place)
			if got := hexOf(inspect(t, "oci:"+cache.String())); "sha256:"+got != digest {
				t.Errorf("skopeo finds the digest %s, want %s", got, digest)
			}
			sameTree(t, readTree(t, cache.unpack(t)), want)
			bundle := output(t, u.command("banger-flatten", "-C", place, line))
			if got := read(t, filepath.Join(bundle, "rootfs.mtree")); got != manifest {
				t.Errorf("rootfs.mtree is\n%s\nwant\n%s", got, manifest)
			}
			to := filepath.Join(scratch(t), "copy.tar")
			skopeo(t, "copy", "--quiet", "oci:"+cache.String(), "docker-archive:"+to+":x:1")
		})
	}
}

// TestSavedTwo: which of two images is not chosen by chance.
func TestSavedTwo(t *testing.T) {
	one, two := newSavedImage(t, savedLower()), newSavedImage(t, savedLower(), savedUpper())
	u, w := newUser(t, nobody), newSavedTar(t)
	items := []savedItem{w.legacy(one, "acme/one:1"), w.legacy(two, "acme/two:2")}
	w.add(savedJSON("manifest.json", items))
	path := one.written(t, "two.tar", w.end())
	fetch := func(reference string) outcome {
		return finish(t, u.command("sh", "-c", `cat "$1" | banger-fetch "$2"`, "sh", path, reference))
	}
	o := fetch("-")
	o.failed(t, []int{64}, "banger-fetch: ", "2 images", "docker.io/acme/one:1, docker.io/acme/two:2")
	if !strings.Contains(o.stderr, "\nhint: banger-fetch docker-archive:/dev/stdin:docker.io/acme/one:1\n") {
		t.Errorf("printed %s", o.stderr)
	}
	u.nothingSaved(t)
	nothingLeft(t, u.home)
	for reference, config := range map[string]string{"acme/one:1": one.config, "acme/two:2": two.config} {
		o := fetch("docker-archive:/dev/stdin:" + reference)
		name := "docker.io/" + reference
		if o.code != 0 || !strings.HasPrefix(o.stdout, u.cache()+":"+name+"@") {
			t.Fatalf("%+v", o)
		}
		var manifest v1.Manifest
		if fromJSON(t, inspect(t, "oci:"+u.cache()+":"+name), &manifest); manifest.Config.Digest.Encoded() != hexOf(config) {
			t.Errorf("%s has the config %s, want %s", name, manifest.Config.Digest, hexOf(config))
		}
	}
}

// TestSavedUnverified names saved images with flags that only registries have. None is
// read, and nothing is written.
func TestSavedUnverified(t *testing.T) {
	u := newUser(t, nobody)
	verifiers := u.place(t)
	if err := os.WriteFile(filepath.Join(verifiers, "yes"), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(u.home, "app.tar")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	const last = "read -r left && test \"$left\" = last" // standard input was not read
	for _, flags := range []string{"--verifier " + verifiers, "--dry-run", "--dry-run --verifier " + verifiers} {
		flag, _, _ := strings.Cut(flags, " ")
		for _, command := range []string{
			`{ banger-fetch ` + flags + ` -; code=$?; ` + last + ` || exit 1; exit $code; }`,
			`banger-fetch ` + flags + ` "oci:$1" example.invalid/app:1`,
			`banger-fetch ` + flags + ` "oci-archive:$1"`,
			`banger-fetch ` + flags + ` "docker-archive:$1"`,
			`echo "oci:$1" | banger-fetch ` + flags,
			`echo "oci-archive:$1" | banger-fetch ` + flags,
			`echo "docker-archive:$1:app" | banger-fetch ` + flags,
		} {
			t.Run(command, func(t *testing.T) {
				cmd := u.command("sh", "-c", command, "sh", file)
				cmd.Stdin = strings.NewReader("last\n")
				finish(t, cmd).failed(t, []int{64}, "banger-fetch: ", flag+" is for images in registries")
				if _, err := os.Stat(u.cache()); err == nil {
					t.Error("the cache was made")
				}
			})
		}
	}
}

// nothingSaved fails the test if the user's cache has an image or a blob.
func (u user) nothingSaved(t testing.TB) {
	t.Helper()
	if got := cacheGood(t, u.cache()); got != "" {
		t.Errorf("the cache lists %s", got)
	}
	walk(t, filepath.Join(u.cache(), "blobs"), func(path string, e fs.DirEntry) error {
		if !e.IsDir() && !temporary.MatchString(e.Name()) {
			t.Errorf("visible: %s", path)
		}
		return nil
	})
}

// largeArchive is an archive that a pipe does not hold.
func largeArchive(t testing.TB) string {
	return legacyArchive(t, newSavedImage(t, []entry{file("a", string(smallNoise(1, 400_000)))}, []entry{file("b", string(smallNoise(2, 400_000)))}))
}

// TestSavedTruncated cuts an archive off: in a layer, in a header, between files
// and in its end.
func TestSavedTruncated(t *testing.T) {
	u, archive := newUser(t, nobody), largeArchive(t)
	for _, size := range []int{100, 512, 200_000, len(archive) / 2, len(archive) - 2048, len(archive) - 1024} {
		cmd := u.command("banger-fetch", "-")
		cmd.Stdin = strings.NewReader(archive[:size])
		finish(t, cmd).failed(t, []int{65}, "banger-fetch: -: ", "truncated")
		u.nothingSaved(t)
		nothingLeft(t, u.home)
	}
}

// TestSavedEnded ends banger-fetch while it waits for the second half of an
// archive. The next run removes what a kill leaves.
func TestSavedEnded(t *testing.T) {
	archive := largeArchive(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			u := newUser(t, nobody)
			cmd := u.command("banger-fetch", "-")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			end := begin(t, cmd)
			if _, err := in.Write([]byte(archive[:len(archive)*3/4])); err != nil {
				t.Fatal(err)
			}
			await(t, "the first layer to be in the cache's stage", func() bool { return u.staged(t) > 0 })
			syscall.Kill(cmd.Process.Pid, signal)
			if o := end(); o.code != 128+int(signal) || o.stdout != "" {
				t.Errorf("%+v", o)
			}
			u.nothingSaved(t)
			if left := u.staged(t) > 0; left != (signal == syscall.SIGKILL) {
				t.Errorf("temporary files are left: %v", left)
			}
			cmd = u.command("banger-fetch", "-")
			cmd.Stdin = strings.NewReader(archive)
			output(t, cmd)
			cacheGood(t, u.cache())
			nothingLeft(t, u.home)
		})
	}
}

// staged returns the number of layers of largeArchive in temporary directories of
// the user's cache.
func (u user) staged(t testing.TB) (n int) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(u.cache(), ".fetch*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		walk(t, dir, func(path string, e fs.DirEntry) error {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Size() >= 400_000 {
				n++
			}
			return nil
		})
	}
	return n
}

// TestSavedSpace reads an archive onto a disk that becomes full.
func TestSavedSpace(t *testing.T) {
	s := newSavedImage(t, savedLower(), []entry{file("big", string(smallNoise(1, 200_000)))})
	path := s.written(t, "app.tar", legacyArchive(t, s))
	u := newUser(t, nobody)
	for name, command := range map[string]string{"file": `exec banger-fetch "docker-archive:$1"`, "pipe": `cat "$1" | banger-fetch -`} {
		t.Run(name, func(t *testing.T) {
			j := job{
				name: name, user: u, tool: "banger-fetch: ", subject: []string{"docker-archive:" + path, "-: "},
				command: func(place string) *exec.Cmd {
					return withEnv(u.command("sh", "-c", command, "sh", path), "XDG_CACHE_HOME="+place)
				},
				look: func(t testing.TB, place string) string {
					return cacheGood(t, filepath.Join(place, "banger/oci"))
				},
			}
			noSpace(t, j, j.undisturbed(t))
		})
	}
}

// TestSavedFull fills the disk while a layer is written, after the check that there
// is room for it.
func TestSavedFull(t *testing.T) {
	needRoot(t)
	archive, u := largeArchive(t), newUser(t, nobody)
	place := job{user: u}.memory(t)
	cmd := withEnv(u.command("banger-fetch", "-"), "XDG_CACHE_HOME="+place)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	end := begin(t, cmd)
	half := len(archive) * 3 / 4
	if _, err := in.Write([]byte(archive[:half])); err != nil {
		t.Fatal(err)
	}
	await(t, "half of the second layer to be written", func() bool { return used(t, place).pages*pageSize > 500_000 })
	filler := filepath.Join(place, "filler")
	finish(t, exec.Command("dd", "if=/dev/zero", "of="+filler, "bs=4k"))
	in.Write([]byte(archive[half:])) // it fails when banger-fetch ends first
	in.Close()
	end().failed(t, []int{73}, "banger-fetch: -: ", "no space left on device")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if got := cacheGood(t, filepath.Join(place, "banger/oci")); got != "" {
		t.Errorf("the cache lists %s", got)
	}
	nothingLeft(t, place)
}
