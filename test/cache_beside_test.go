// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pruneRounds is how often each worker of TestCacheBeside fetches and flattens at least,
// 2 unless the environment says more: 300 take some minutes.
func pruneRounds(t testing.TB) int {
	text := os.Getenv("BANGER_PRUNE_ROUNDS")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestCacheBeside prunes in a loop while other processes fetch, flatten and verify
// images whose tags move. All files of the cache seem to be old, so that only names,
// leases and locks keep them. No process fails. Then prune removes named images too: a
// fetch still works, and an image is flattened whole or not found.
func TestCacheBeside(t *testing.T) {
	need(t, "mkfs.ext4", "skopeo")
	const workers = 3
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	w := beside{T: t, reg: reg, user: u}
	for n := range workers {
		w.disks = append(w.disks, [2]string{w.disk(2 * n), w.disk(2*n + 1)})
	}
	freed := w.prune(func(n, round int) {
		line := w.fetch(n, round)
		w.check("banger-flatten "+line, finish(t, u.command("banger-flatten", "-f", "-o", w.bundle(n), line)))
		w.check("banger-verify", finish(t, u.command("banger-verify", w.disks[n][round%2])))
	}, "prune")
	if freed == 0 {
		t.Error("nothing was removed")
	}
	freed = w.prune(func(n, round int) {
		line := w.fetch(n, round)
		o := finish(t, u.command("banger-flatten", "-f", "-o", w.bundle(n), line))
		_, manifest, _ := strings.Cut(line, "@")
		removed := strings.Contains(o.stderr, "image not found") || strings.Contains(o.stderr, "blob "+manifest+" not found")
		if o.code != 66 || !removed { // before it was locked
			w.check("banger-flatten "+line, o)
		}
	}, "prune", "--older-than", "1d")
	if freed == 0 {
		t.Error("nothing was removed by age")
	}
	for n := range workers {
		line := w.fetch(n, 0)
		name, _, _ := strings.Cut(line, "@")
		skopeo(t, "copy", "oci:"+name, "dir:"+t.TempDir())
	}
	output(t, u.command("banger-cache", "check"))
	cacheGood(t, u.cache())
	nothingLeft(t, u.home)
}

// beside is a registry and a user whose processes work at the same time.
type beside struct {
	*testing.T
	reg  *faultRegistry
	user user
	// disks are the ext4 files of the two images of each worker.
	disks [][2]string
}

func (w *beside) bundle(n int) string { return filepath.Join(w.user.home, fmt.Sprint(n, ".bundle")) }

// disk makes an ext4 file of an image.
func (w *beside) disk(n int) string {
	line := output(w.T, w.user.command("banger-fetch", w.reg.push(w.T, fmt.Sprint("disk:", n), tinyImage(w.T, n))))
	bundle := output(w.T, w.user.command("banger-flatten", "-C", w.user.place(w.T), line))
	return output(w.T, w.user.command("banger-mkext4", "--size", "min", bundle))
}

// fetch moves the tag of a worker to one of its images, fetches it and returns the line.
func (w *beside) fetch(n, round int) string {
	ref := w.reg.push(w.T, fmt.Sprint("w:", n), tinyImage(w.T, 2*n+round%2))
	o := finish(w.T, w.user.command("banger-fetch", ref))
	w.check("banger-fetch "+ref, o)
	return strings.TrimSpace(o.stdout)
}

func (w *beside) check(what string, o outcome) {
	if o.code != 0 {
		w.Errorf("%s: exit status %d\n%s", what, o.code, o.stderr)
	}
}

// freedBlobs matches what banger-cache prune prints.
var freedBlobs = regexp.MustCompile(`^freed .*\b(\d+) blobs?\b`)

// prune runs banger-cache in a loop while all workers do their rounds, and returns how
// many blobs it removed. The workers go on until there are some, for 100 rounds at most.
func (w *beside) prune(work func(n, round int), args ...string) int64 {
	w.rm()
	var freed atomic.Int64
	var workers, others sync.WaitGroup
	done := make(chan struct{})
	others.Go(func() {
		for !isClosed(done) {
			at := time.Now().AddDate(0, 0, -2)
			files, _ := filepath.Glob(filepath.Join(w.user.cache(), "blobs/sha256/*"))
			for _, path := range files {
				// Only what was used since: prune keeps what is used while it works.
				if info, err := os.Stat(path); err == nil && info.ModTime().After(at.Add(time.Hour)) {
					os.Chtimes(path, at, at) // it may be gone
				}
			}
			time.Sleep(time.Millisecond)
		}
	})
	others.Go(func() {
		for !isClosed(done) {
			o := finish(w.T, w.user.command("banger-cache", args...))
			w.check("banger-cache", o)
			if m := freedBlobs.FindStringSubmatch(o.stdout); m != nil {
				n, err := strconv.ParseInt(m[1], 10, 64)
				if err != nil {
					w.Error(err)
				}
				freed.Add(n)
			}
		}
	})
	for n := range w.disks {
		workers.Go(func() {
			rounds := pruneRounds(w.T)
			for round := 0; round < rounds || freed.Load() == 0 && round < 100; round++ {
				work(n, round)
			}
		})
	}
	workers.Wait()
	close(done)
	others.Wait()
	return freed.Load()
}

// rm removes the names that the disks were made with, so that only the workers' are left.
func (w *beside) rm() {
	for n := range 2 * len(w.disks) {
		finish(w.T, w.user.command("banger-cache", "rm", fmt.Sprint(w.reg.host, "/disk:", n)))
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
