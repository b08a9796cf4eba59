// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// tinyImage is an image of two layers, of which one is unique to n.
func tinyImage(t testing.TB, n int) v1.Image {
	t.Helper()
	var base, own smallTar
	base.file("etc/base", 0o644, smallNoise(1, 100_000))
	own.file("etc/own", 0o644, smallNoise(uint64(n), 100_000))
	return smallLayers(t, base.layer(t), own.layer(t))
}

// age sets the time of all files in a directory to some days ago.
func age(t testing.TB, dir string, days int) {
	t.Helper()
	at := time.Now().AddDate(0, 0, -days)
	walk(t, dir, func(path string, e fs.DirEntry) error {
		if e.IsDir() {
			return nil
		}
		return os.Chtimes(path, at, at)
	})
}

// An oldCache is a cache in which an old image lost its name, another old one has
// one, and a new one was pulled by digest.
type oldCache struct {
	user
	moved, stays, digest v1.Image
	stayed, byDigest     string // what banger-fetch printed
}

func newOldCache(t testing.TB) oldCache {
	t.Helper()
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	c := oldCache{user: u, moved: tinyImage(t, 1), stays: tinyImage(t, 2), digest: tinyImage(t, 3)}
	ref := reg.push(t, "a:1", c.moved)
	output(t, u.command("banger-fetch", ref))
	reg.push(t, "a:1", c.stays)
	c.stayed = output(t, u.command("banger-fetch", ref))
	age(t, u.cache(), 40)
	reg.push(t, "b:1", c.digest)
	_, _, d := digests(t, c.digest)
	c.byDigest = output(t, u.command("banger-fetch", reg.host+"/b@"+d))
	return c
}

// has fails the test unless exactly these images are in the cache, for skopeo and
// umoci too.
func (c oldCache) has(t testing.TB, images ...v1.Image) {
	t.Helper()
	cacheGood(t, c.cache())
	blobs := map[string]bool{}
	for _, img := range images {
		m, err := img.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		_, _, d := digests(t, img)
		blobs[d], blobs[m.Config.Digest.String()] = true, true
		for _, l := range m.Layers {
			blobs[l.Digest.String()] = true
		}
	}
	files, err := filepath.Glob(filepath.Join(c.cache(), "blobs/sha256/*"))
	if err != nil || len(files) != len(blobs) {
		t.Errorf("%d blobs, want %d, %v", len(files), len(blobs), err)
	}
	for d := range blobs {
		if _, err := os.Stat(blobPath(c.cache(), d)); err != nil {
			t.Error(err)
		}
	}
}

// judged copies the named image with skopeo and unpacks the copy with umoci.
func (c oldCache) judged(t testing.TB) {
	t.Helper()
	need(t, "skopeo", "umoci")
	name, _, _ := strings.Cut(c.stayed, "@")
	to := filepath.Join(t.TempDir(), "copy")
	skopeo(t, "copy", "oci:"+name, "oci:"+to+":1")
	output(t, exec.Command("umoci", "unpack", "--rootless", "--image", to+":1", to+".bundle"))
	for _, file := range []string{"etc/base", "etc/own"} {
		if info, err := os.Stat(filepath.Join(to+".bundle/rootfs", file)); err != nil || info.Size() != 100_000 {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestCachePrune removes what has no name and what is old; banger-flatten, skopeo and
// umoci read the rest.
func TestCachePrune(t *testing.T) {
	c := newOldCache(t)
	c.has(t, c.moved, c.stays, c.digest)
	o := finish(t, c.command("banger", "cache", "prune", "--dry-run", "--older-than", "30d"))
	if o.code != 0 || !strings.HasPrefix(o.stdout, strings.SplitN(c.stayed, ":", 2)[1][:9]) || !strings.Contains(o.stdout, "would free ") {
		t.Errorf("%+v", o)
	}
	c.has(t, c.moved, c.stays, c.digest)
	if got := output(t, c.command("banger-cache", "prune")); !strings.HasPrefix(got, "freed ") || !strings.HasSuffix(got, ": 1 image, 3 blobs") {
		t.Errorf("printed %q", got)
	}
	c.has(t, c.stays, c.digest)
	c.judged(t)
	for _, line := range []string{c.stayed, c.byDigest} {
		output(t, c.command("banger-flatten", "-C", c.place(t), line))
	}
	var image struct{ Reference, Digest, Platform string }
	list := strings.Split(output(t, c.command("banger-cache", "list", "--json")), "\n")
	if err := json.Unmarshal([]byte(list[0]), &image); err != nil || len(list) != 2 || !strings.HasSuffix(c.byDigest, image.Digest) || image.Reference != "" || image.Platform != "linux/amd64" {
		t.Errorf("%q, %v", list, err)
	}
	table := strings.Fields(strings.Split(output(t, c.command("banger-cache", "list")), "\n")[1])
	output(t, c.command("banger-cache", "rm", table[1]))
	c.has(t, c.stays) // banger-flatten has used it now
	if got := output(t, c.command("banger-cache", "prune", "--max-size", "1M", "--older-than", "1w")); got != "freed 0B: 0 images, 0 blobs" {
		t.Errorf("printed %q", got)
	}
	age(t, c.cache(), 8)
	output(t, c.command("banger-cache", "prune", "--max-size", "0"))
	c.has(t)
	nothingLeft(t, c.home)
}

// TestCacheCheck damages the layer of an image. The hint fetches it again.
func TestCacheCheck(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	img := tinyImage(t, 1)
	ref := reg.push(t, "a:1", img)
	output(t, u.command("banger-fetch", ref))
	output(t, u.command("banger-cache", "check"))
	layer, _, _ := digests(t, img)
	damage(t, blobPath(u.cache(), layer), func(b []byte) []byte { b[99] ^= 1; return b })
	o := finish(t, u.command("banger-cache", "check"))
	if o.code != 65 || !strings.Contains(o.stderr, layer+": damaged; moved to ") || !strings.Contains(o.stderr, "\nhint: banger-fetch "+ref+"\n") {
		t.Fatalf("%+v", o)
	}
	if _, err := os.Stat(filepath.Join(u.cache(), "damaged", strings.Replace(layer, ":", "-", 1))); err != nil {
		t.Error(err)
	}
	output(t, u.command("banger-fetch", ref))
	output(t, u.command("banger-cache", "check"))
	cacheGood(t, u.cache())
}

// TestCacheKill kills prune at steps of its work. What has a name is whole, and the
// next prune removes the rest.
func TestCacheKill(t *testing.T) {
	c := newOldCache(t)
	age(t, c.cache(), 40)
	place := func() oldCache {
		home := c.place(t)
		output(t, c.command("cp", "-a", filepath.Join(c.home, ".cache"), home))
		copied := c
		copied.user.home = home
		copied.stayed = strings.Replace(c.stayed, c.home, home, 1)
		return copied
	}
	var all trace
	all.run(t, place().command("banger-cache", "prune"))
	for _, at := range steps(all.changes, 5, 5) {
		t.Run(fmt.Sprintf("@%d", at), func(t *testing.T) {
			c := place()
			tr := trace{at: at, act: func(pid int) { syscall.Kill(pid, syscall.SIGKILL) }}
			tr.run(t, c.command("banger-cache", "prune"))
			if got := cacheGood(t, c.cache()); !strings.Contains(got, "/a:1\n") {
				t.Errorf("listed: %s", got)
			}
			output(t, c.command("banger-cache", "prune"))
			c.has(t, c.stays)
			nothingLeft(t, c.home)
		})
	}
}

// TestCacheReadOnly uses a cache that belongs to another user.
func TestCacheReadOnly(t *testing.T) {
	needRoot(t)
	owner := newOldCache(t)
	if err := os.Chmod(owner.home, 0o755); err != nil {
		t.Fatal(err)
	}
	u := user{newUser(t, nobody+1).home, nobody + 1}
	reader := func(args ...string) *exec.Cmd {
		return withEnv(u.command("banger", args...), "XDG_CACHE_HOME="+filepath.Join(owner.home, ".cache"))
	}
	name := strings.SplitN(owner.byDigest, "oci:", 2)[1]
	if got := output(t, reader("fetch", name)); got != owner.byDigest {
		t.Errorf("printed %q, want %q", got, owner.byDigest)
	}
	output(t, reader("flatten", "-C", u.place(t), owner.byDigest))
	if got := output(t, reader("cache", "list")); strings.Count(got, "\n") != 3 {
		t.Errorf("printed %q", got)
	}
	output(t, reader("cache", "check"))
	finish(t, reader("cache", "prune")).failed(t, []int{73}, "banger-cache: "+owner.cache()+": cannot be written: permission denied")
	finish(t, reader("cache", "rm", strings.SplitN(owner.byDigest, "@", 2)[1])).failed(t, []int{73}, "banger-cache: "+owner.cache()+": cannot be written: permission denied")
	owner.has(t, owner.moved, owner.stays, owner.digest)

	// Blobs that cannot be removed do not keep index.json from being written.
	if err := os.Chmod(owner.cache(), 0o777); err != nil {
		t.Fatal(err)
	}
	o := finish(t, reader("cache", "prune"))
	if o.code != 77 || !strings.HasPrefix(o.stdout, "freed 0B: 1 image, 0 blobs") || !strings.Contains(o.stderr, "permission denied; 2 more files cannot be removed\nhint: ") {
		t.Errorf("%+v", o)
	}
	output(t, owner.command("banger-cache", "prune"))
	owner.has(t, owner.stays, owner.digest)
}

// TestCacheFull prunes on a disk without space.
func TestCacheFull(t *testing.T) {
	needRoot(t)
	c := newOldCache(t)
	for n := range 2 { // that nothing needs
		path := filepath.Join(c.cache(), "blobs/sha256", strings.Repeat(fmt.Sprint(n), 64))
		if err := os.WriteFile(path, smallNoise(9, 5000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	age(t, c.cache(), 40)
	for _, limit := range []string{"nr_inodes", "size"} {
		t.Run(limit, func(t *testing.T) {
			c := c.onFull(t, limit)
			output(t, c.command("banger-cache", "prune"))
			c.has(t, c.stays)
			nothingLeft(t, c.home)
		})
	}
}

// TestCacheFullNamed removes a named image on a disk without space, on which there is
// nothing else to remove.
func TestCacheFullNamed(t *testing.T) {
	needRoot(t)
	c := newOldCache(t)
	output(t, c.command("banger-cache", "prune"))
	c.has(t, c.stays, c.digest)
	ref, _, _ := strings.Cut(strings.SplitN(c.stayed, "oci:", 2)[1], "@")
	for _, args := range [][]string{{"rm", ref}, {"prune", "--older-than", "30d"}, {"prune", "--max-size", "0"}} {
		for _, limit := range []string{"nr_inodes", "size"} {
			t.Run(args[0]+args[1]+" "+limit, func(t *testing.T) {
				c := c.onFull(t, limit)
				o := finish(t, c.command("banger-cache", args...))
				if o.code != 0 || !strings.HasSuffix(o.stdout, ": 1 image, 3 blobs\n") {
					t.Errorf("%+v", o)
				}
				c.has(t, c.digest)
				nothingLeft(t, c.home)
			})
		}
	}
}

// onFull returns a copy of the cache on a disk that has no more inodes, nr_inodes, or no
// more bytes, size.
func (c oldCache) onFull(t *testing.T, limit string) oldCache {
	t.Helper()
	place := job{user: c.user, fill: func(t testing.TB, place string) {
		output(t, c.command("cp", "-a", filepath.Join(c.home, ".cache"), place))
	}}.memory(t)
	c.stayed = strings.Replace(c.stayed, c.home, place, 1)
	c.user.home = place
	var st syscall.Statfs_t
	if err := syscall.Statfs(place, &st); err != nil {
		t.Fatal(err)
	}
	used := st.Files - st.Ffree
	if limit == "size" {
		used = (st.Blocks - st.Bfree) * uint64(st.Bsize)
	}
	remount(t, place, fmt.Sprintf("%s=%d", limit, used))
	if o := finish(t, c.command("sh", "-c", "echo full >full")); o.code == 0 {
		t.Fatal("there is space")
	}
	os.Remove(filepath.Join(place, "full"))
	return c
}

// TestCacheIncomplete removes the layers and the config of a named image, as banger-cache
// does on a full disk before it writes index.json, and is killed then.
func TestCacheIncomplete(t *testing.T) {
	c := newOldCache(t)
	output(t, c.command("banger-cache", "prune"))
	m, err := c.stays.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	ref, _, _ := strings.Cut(strings.SplitN(c.stayed, "oci:", 2)[1], "@")
	for _, args := range [][]string{{"cache", "rm", ref}, {"cache", "prune", "--older-than", "30d"}, {"cache", "prune", "--max-size", "0"}, {"fetch", ref}} {
		t.Run(args[0]+args[1], func(t *testing.T) {
			home := c.place(t)
			output(t, c.command("cp", "-a", filepath.Join(c.home, ".cache"), home))
			c := c
			c.user.home = home
			for _, d := range []string{m.Config.Digest.String(), m.Layers[1].Digest.String()} { // the other is shared
				if err := os.Remove(blobPath(c.cache(), d)); err != nil {
					t.Fatal(err)
				}
			}
			if o := finish(t, c.command("banger", args...)); o.code != 0 {
				t.Errorf("%+v", o)
			}
			if args[0] == "fetch" {
				c.has(t, c.stays, c.digest)
			} else {
				c.has(t, c.digest)
			}
			nothingLeft(t, c.home)
		})
	}
}
