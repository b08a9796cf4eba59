// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// warned fails the test unless a tool succeeded with one warning, that it
// moved a damaged index to this name.
func (o outcome) warned(t testing.TB, moved string) {
	t.Helper()
	if o.code != 0 || strings.Count(o.stderr, "\n") != 1 || !strings.HasPrefix(o.stderr, "banger-fetch: warning: ") ||
		!strings.Contains(o.stderr, moved) {
		t.Errorf("exit status %d, want a warning of %s: %q", o.code, moved, o.stderr)
	}
}

// TestCacheIndexDamaged damages the cache's index.json. banger-fetch moves it
// to another name, warns, and downloads no blob again; other tools find the
// image in the new index.
func TestCacheIndexDamaged(t *testing.T) {
	need(t, "skopeo")
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	ref := reg.push(t, "small:1", smallImage(t))
	layer, config, _ := digests(t, smallImage(t))
	output(t, u.command("banger-fetch", ref))
	index := filepath.Join(u.cache(), "index.json")
	asked := reg.fetched(layer) + reg.fetched(config)
	n := 0
	for name, spoil := range map[string]string{
		"empty": ": >index.json", "cut": "echo { >index.json", "a list": "echo [] >index.json",
		"nothing listed": `echo '{"schemaVersion":2,"manifests":[{}]}' >index.json`,
		"a directory":    "rm index.json && mkdir -p index.json/x", "a fifo": "rm index.json && mkfifo index.json",
		"a link": "rm index.json && ln -s nowhere index.json", "terabyte": "truncate -s 1T index.json",
	} {
		t.Run(name, func(t *testing.T) {
			output(t, u.command("sh", "-c", "cd "+u.cache()+" && "+spoil))
			before := output(t, u.command("stat", "-c", "%F %i %s", index))
			n++
			moved := fmt.Sprintf("%s.damaged-%d", index, n)
			finish(t, u.command("banger-fetch", ref)).warned(t, moved)
			if got := output(t, u.command("stat", "-c", "%F %i %s", moved)); got != before {
				t.Errorf("kept %s, was %s", got, before)
			}
			if o := finish(t, u.command("banger-fetch", ref)); o.code != 0 || o.stderr != "" {
				t.Errorf("again: exit status %d: %q", o.code, o.stderr)
			}
			readable(t, u, ref, smallImage(t))
		})
	}
	if now := reg.fetched(layer) + reg.fetched(config); now != asked {
		t.Errorf("blobs were requested %d more times", now-asked)
	}
	cacheGood(t, u.cache())
	nothingLeft(t, u.home)
}

// TestCacheIndexDamagedTogether checks that one of eight processes warns.
func TestCacheIndexDamagedTogether(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	ref := reg.push(t, "small:1", smallImage(t))
	other := reg.push(t, "small:2", smallVariant(t, 2))
	output(t, u.command("banger-fetch", ref))
	output(t, u.command("truncate", "-s", "1", filepath.Join(u.cache(), "index.json")))
	var ends []func() outcome
	for i := range 8 {
		ends = append(ends, begin(t, u.command("banger-fetch", []string{ref, other}[i%2])))
	}
	var stderr strings.Builder
	for _, end := range ends {
		o := end()
		if o.code != 0 {
			t.Errorf("exit status %d: %s", o.code, o.stderr)
		}
		stderr.WriteString(o.stderr)
	}
	outcome{stderr: stderr.String()}.warned(t, "index.json.damaged-1")
	_, _, first := digests(t, smallImage(t))
	_, _, second := digests(t, smallVariant(t, 2))
	listed(t, u, first+" "+ref, second+" "+other)
	nothingLeft(t, u.home)
}

// TestCacheIndexDamagedKilled kills a fetch at each of its first steps: the
// damaged index is kept exactly once.
func TestCacheIndexDamagedKilled(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	ref := reg.push(t, "small:1", smallImage(t))
	output(t, u.command("banger-fetch", ref))
	damaged := func() (place string) {
		place = u.place(t)
		output(t, u.command("cp", "-a", filepath.Join(u.home, ".cache/banger"), place))
		output(t, u.command("sh", "-c", "echo damaged >"+place+"/banger/oci/index.json"))
		return place
	}
	var all trace
	all.run(t, withEnv(u.command("banger-fetch", ref), "XDG_CACHE_HOME="+damaged()))
	if exitCode(all.status) != 0 {
		t.Fatalf("exit status %d", exitCode(all.status))
	}
	for _, at := range steps(all.changes, 24, 4) {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			place := damaged()
			killed := trace{at: at, act: func(pid int) { syscall.Kill(pid, syscall.SIGKILL) }}
			killed.run(t, withEnv(u.command("banger-fetch", ref), "XDG_CACHE_HOME="+place))
			if o := finish(t, withEnv(u.command("banger-fetch", ref), "XDG_CACHE_HOME="+place)); o.code != 0 {
				t.Errorf("the next run: exit status %d: %s", o.code, o.stderr)
			}
			dir := filepath.Join(place, "banger/oci")
			kept, _ := filepath.Glob(dir + "/*damaged*")
			if len(kept) != 1 || read(t, kept[0]) != "damaged\n" {
				t.Errorf("kept %q", kept)
			}
			if got := cacheGood(t, dir); strings.Count(got, "\n") != 1 {
				t.Errorf("listed: %s", got)
			}
			nothingLeft(t, place)
		})
	}
}

// TestCacheIndexDamagedReadOnly checks that a read-only cache stays as it is.
func TestCacheIndexDamagedReadOnly(t *testing.T) {
	needRoot(t) // so that the tools run as a user whose permissions are checked
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	ref := reg.push(t, "small:1", smallImage(t))
	output(t, u.command("banger-fetch", ref))
	output(t, u.command("sh", "-c", "cd "+u.cache()+" && : >index.json && chmod -w ."))
	before := list(t, u.cache())
	finish(t, u.command("banger-fetch", ref)).failed(t, []int{73}, "banger-fetch: "+ref+": ", u.cache(), "permission denied")
	if after := list(t, u.cache()); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("%q, before %q", after, before)
	}
}

// TestFlattenIndexDamaged checks that a tool that only reads a layout does not
// change a damaged index, and gives a hint.
func TestFlattenIndexDamaged(t *testing.T) {
	u := newUser(t, nobody)
	img := rawImage(t, filepath.Join(u.home, "layout"))
	index := filepath.Join(img.dir, "index.json")
	for _, text := range []string{"", "{", "[]", `{"schemaVersion":2,"manifests":[{}]}`} {
		if err := os.WriteFile(index, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		o := finish(t, u.command("banger-flatten", img.dir))
		o.failed(t, []int{65}, "banger-flatten: ", index)
		if !hinted(o.stderr) {
			t.Errorf("no hint: %q", o.stderr)
		}
		if read(t, index) != text {
			t.Errorf("changed: %q", read(t, index))
		}
	}
}
