// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
	"banger/lib/stage"
	"banger/lib/status"
)

var none v1.Descriptor

func days(n float64) *time.Duration {
	d := time.Duration(n * float64(24*time.Hour))
	return &d
}

func bytes(n int64) *int64 { return &n }

// TestPrune compares what stays with what is needed.
func TestPrune(t *testing.T) {
	for name, c := range map[string]struct {
		make    func(f *fixture)
		options PruneOptions
		entries string
		left    string
	}{
		"named images stay, however old": {func(f *fixture) {
			f.tag("a:1", f.image("a", "xy", 900), none)
		}, PruneOptions{}, "a:1=a", "a a.config x y"},
		"an image without a name goes a day after its last use": {func(f *fixture) {
			f.tag("", f.image("a", "xy", 2), none)
			f.tag("", f.image("b", "yz", 0.5), none)
		}, PruneOptions{}, "=b", "b b.config y z"},
		"its layers stay if another image has them": {func(f *fixture) {
			f.tag("", f.image("a", "xy", 2), none)
			f.tag("b:1", f.image("b", "yz", 9), none)
		}, PruneOptions{}, "b:1=b", "b b.config y z"},
		"a blob without an entry goes after a day": {func(f *fixture) {
			f.blob("old", "", "old", 2)
			f.blob("new", "", "new", 0.5)
		}, PruneOptions{}, "", "new"},
		"a manifest without an entry keeps old layers for a day, as skopeo writes it first": {func(f *fixture) {
			f.image("a", "xy", 2)
			f.image("b", "yz", 2)
			f.age(f.path(f.image("c", "z", 2).Digest), 0.5)
		}, PruneOptions{}, "", "c c.config z"},
		"the index that a name led to stays, and the image for another platform": {func(f *fixture) {
			a, b := f.image("a", "x", 9), f.image("b", "y", 9)
			top := f.index("top", 9, f.index("nested", 9, a), b)
			f.tag("i:1", b, top)
			f.tag("i:1", a, top)
			f.tag("", f.image("c", "z", 9), top) // has lost its name
		}, PruneOptions{}, "=b i:1=a", "a a.config b b.config nested top x y"},
		"an index without the other images is complete": {func(f *fixture) {
			a, b := f.image("a", "x", 9), f.image("b", "y", 9)
			f.tag("i:1", f.index("top", 9, a, b), none)
			if err := os.Remove(f.path(b.Digest)); err != nil {
				f.Fatal(err)
			}
		}, PruneOptions{}, "i:1=top", "a a.config top x"},
		"older than": {func(f *fixture) {
			f.tag("a:1", f.image("a", "xy", 40), none)
			f.tag("a:2", f.image("b", "yz", 20), none)
			f.tag("", f.image("c", "u", 0.5), none)
		}, PruneOptions{OlderThan: days(30)}, "=c a:2=b", "b b.config c c.config u y z"},
		"older than less than a day": {func(f *fixture) {
			f.tag("a:1", f.image("a", "xy", 0.2), none)
			f.tag("", f.image("b", "z", 0.2), none)
			f.blob("stray", "", "stray", 0.2)
			f.tag("c:1", f.image("c", "u", 0.01), none)
		}, PruneOptions{OlderThan: days(0.1)}, "c:1=c", "c c.config u"},
		"all names of an image have its age": {func(f *fixture) {
			a := f.image("a", "x", 40)
			f.tag("a:1", a, none)
			f.tag("a:2", a, none)
		}, PruneOptions{OlderThan: days(30)}, "", ""},
		"to make room, the oldest first, named or not": {func(f *fixture) {
			f.tag("a:1", f.image("a", "x", 0.3), none)
			f.tag("b:1", f.image("b", "y", 0.2), none)
			f.tag("", f.image("c", "z", 0.25), none)
			f.tag("d:1", f.image("d", "u", 0.1), none)
		}, PruneOptions{MaxSize: bytes(1000)}, "b:1=b d:1=d", "b b.config d d.config u y"},
		"to make room, but not what was used in the last hour": {func(f *fixture) {
			f.tag("a:1", f.image("a", "x", 3), none)
			f.tag("b:1", f.image("b", "y", 0.01), none)
		}, PruneOptions{MaxSize: bytes(0)}, "b:1=b", "b b.config y"},
		"a dry run removes nothing": {func(f *fixture) {
			f.tag("a:1", f.image("a", "x", 40), none)
			f.blob("old", "", "old", 2)
		}, PruneOptions{OlderThan: days(1), DryRun: true}, "a:1=a", "a a.config old x"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			c.make(f)
			before := len(strings.Fields(f.left()))
			freed, err := f.cache().Prune(t.Context(), c.options)
			if err != nil {
				t.Fatal(err)
			}
			if f.entries() != c.entries || f.left() != c.left {
				t.Errorf("entries %q, left %q\nwant    %q, left %q", f.entries(), f.left(), c.entries, c.left)
			}
			if gone := before - len(strings.Fields(f.left())); freed.Blobs != gone && !c.options.DryRun {
				t.Errorf("freed %d blobs, %d are gone", freed.Blobs, gone)
			}
			f.clean()
			again, err := f.cache().Prune(t.Context(), c.options)
			if err != nil || !c.options.DryRun && again.Blobs+len(again.Images) > 0 {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
}

// TestPruneUsed prunes while another process uses an image that would be removed.
func TestPruneUsed(t *testing.T) {
	for name, use := range map[string]func(f *fixture, d v1.Descriptor) func(){
		"locked": func(f *fixture, d v1.Descriptor) func() {
			l, err := layout.Open(f.dir)
			if err != nil {
				f.Fatal(err)
			}
			hold, err := l.Hold(f.Context(), d.Digest)
			if err != nil {
				f.Fatal(err)
			}
			return func() { hold.Close() }
		},
		"leased": func(f *fixture, d v1.Descriptor) func() {
			w := f.writer()
			if err := w.Lease(f.Context(), d); err != nil {
				f.Fatal(err)
			}
			return w.Close
		},
	} {
		for entry, tag := range map[string]string{"named": "a:1", "without a name": "", "no entry": "-"} {
			t.Run(name+" "+entry, func(t *testing.T) {
				f := newFixture(t)
				a := f.image("a", "x", 40)
				if tag != "-" {
					f.tag(tag, a, none)
				}
				f.image("b", "y", 40)
				end := use(f, a)
				if _, err := f.cache().Prune(t.Context(), PruneOptions{OlderThan: days(1), MaxSize: bytes(0)}); err != nil {
					t.Fatal(err)
				}
				if f.left() != "a a.config x" || tag != "-" && f.entries() != tag+"=a" {
					t.Errorf("left %s, entries %s", f.left(), f.entries())
				}
				if tag != "-" {
					_, err := f.cache().Remove(t.Context(), []string{string(a.Digest)}, exact)
					if status.Of(err) != status.Temporary || f.left() != "a a.config x" {
						t.Errorf("rm: %v, left %s", err, f.left())
					}
				}
				end()
				if _, err := f.cache().Prune(t.Context(), PruneOptions{OlderThan: days(1)}); err != nil || f.left() != "" {
					t.Errorf("afterwards: %v, left %s", err, f.left())
				}
				f.clean()
			})
		}
	}
}

// TestPruneTouched uses an image after its last use was read, before it is locked.
func TestPruneTouched(t *testing.T) {
	for name, drop := range map[string]func(p *plan) set{
		"older than": func(p *plan) set {
			p.expire(24 * time.Hour)
			return p.settle(grace)
		},
		"max size": func(p *plan) set { return p.shrink(p.settle(grace), grace, 0) },
	} {
		for entry, tag := range map[string]string{"named": "a:1", "without a name": "", "no entry": "-"} {
			t.Run(name+" "+entry, func(t *testing.T) {
				f := newFixture(t)
				a := f.image("a", "x", 40)
				if tag != "-" {
					f.tag(tag, a, none)
				}
				f.tag("b:1", f.image("b", "xy", 40), none)
				c := f.cache()
				err := c.exclusive(t.Context(), func(w *layout.Writer, index *v1.Index, p *plan) error {
					c.layout.Touch(a.Digest)
					needed := drop(p)
					freed := Freed{Images: p.dropped()}
					return p.carryOut(w, index, needed, &freed)
				})
				if err != nil || f.left() != "a a.config x" || tag != "-" && f.entries() != tag+"=a" {
					t.Errorf("%v, left %s, entries %s", err, f.left(), f.entries())
				}
				f.clean()
			})
		}
	}
}

// TestRemoveTouched removes an image that is used after the plan was made.
func TestRemoveTouched(t *testing.T) {
	f := newFixture(t)
	a := f.image("a", "x", 40)
	f.tag("a:1", a, none)
	_, err := f.cache().Remove(t.Context(), []string{"a"}, func(string) (string, error) {
		f.age(f.path(a.Digest), 0) // the plan is made
		return "a:1", nil
	})
	if status.Of(err) != status.Temporary || f.left() != "a a.config x" || f.entries() != "a:1=a" {
		t.Errorf("%v, left %s, entries %s", err, f.left(), f.entries())
	}
}

func exact(s string) (string, error) { return s, nil }

// TestPruneUnreadable damages what a named image needs: nothing is removed.
func TestPruneUnreadable(t *testing.T) {
	for name, harm := range map[string]func(f *fixture, a v1.Descriptor) error{
		"manifest damaged": func(f *fixture, a v1.Descriptor) error { return os.WriteFile(f.path(a.Digest), []byte("{}"), 0o666) },
		"manifest missing": func(f *fixture, a v1.Descriptor) error { return os.Remove(f.path(a.Digest)) },
		"index.json damaged": func(f *fixture, _ v1.Descriptor) error {
			return os.WriteFile(filepath.Join(f.dir, "index.json"), []byte("{"), 0o666)
		},
		"index.json damaged before": func(f *fixture, _ v1.Descriptor) error {
			return os.WriteFile(filepath.Join(f.dir, "index.json.damaged-1"), nil, 0o666)
		},
		"oci-layout damaged": func(f *fixture, _ v1.Descriptor) error {
			return os.WriteFile(filepath.Join(f.dir, "oci-layout"), []byte("{"), 0o666)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			a := f.image("a", "x", 9)
			f.tag("a:1", a, none)
			f.blob("old", "", "old", 9)
			before := f.left()
			if err := harm(f, a); err != nil {
				t.Fatal(err)
			}
			if name == "manifest missing" {
				before = strings.Replace(before, "a ", "", 1)
			}
			c, err := Open(f.dir, nil)
			if err == nil {
				_, err = c.Prune(t.Context(), PruneOptions{OlderThan: days(1)})
			}
			if status.Of(err) != status.Bad || f.left() != before {
				t.Errorf("%v, left %s, before %s", err, f.left(), before)
			}
		})
	}
}

// The path of a cache is not a pattern.
func TestPrunePath(t *testing.T) {
	for _, name := range []string{"a[x]", "a[", "a*"} {
		f := newFixture(t)
		f.blob("old", "", "old", 9)
		dir := filepath.Join(filepath.Dir(f.dir), name)
		if err := errors.Join(os.Rename(f.dir, dir), os.WriteFile(filepath.Join(dir, "index.json.damaged-1"), nil, 0o666)); err != nil {
			t.Fatal(err)
		}
		f.dir = dir
		if _, err := f.cache().Prune(t.Context(), PruneOptions{}); status.Of(err) != status.Bad {
			t.Errorf("%s, with a damaged index: %v", name, err)
		}
		if err := os.Remove(filepath.Join(dir, "index.json.damaged-1")); err != nil {
			t.Fatal(err)
		}
		if freed, err := f.cache().Prune(t.Context(), PruneOptions{}); err != nil || freed.Blobs != 1 {
			t.Errorf("%s: %+v, %v", name, freed, err)
		}
	}
}

// TestPruneLeftovers removes what killed processes left, but not what is in use or
// new.
func TestPruneLeftovers(t *testing.T) {
	f := newFixture(t)
	w, leased := f.writer(), v1.Descriptor{Digest: digest.FromString("leased")}
	defer w.Close()
	if err := w.Lease(t.Context(), leased); err != nil {
		t.Fatal(err)
	}
	write := func(name string, days float64) string {
		path := filepath.Join(f.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, make([]byte, 5000), 0o666)); err != nil {
			t.Fatal(err)
		}
		f.age(path, days)
		return path
	}
	write(".fetch.staging-ABCDEFGHIJKLMNOP/1", 0)
	for _, name := range []string{"ingest/sha256-old.part", "ingest/sha256-old.map", "ingest/sha256-alone.map", "damaged/sha256-old"} {
		write(name, 2)
	}
	kept := []string{write("ingest/sha256-new.part", 0.5), write("damaged/sha256-new", 0.5), write("ingest/sha256-used.part", 2), write("ingest/sha256-used.map", 2)}
	used, err := stage.TryLock(filepath.Join(f.dir, "ingest/sha256-used.part"))
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	for _, ext := range []string{".part", ".map"} {
		kept = append(kept, write("ingest/sha256-"+leased.Digest.Encoded()+ext, 2))
	}
	for _, dry := range []bool{true, false} {
		freed, err := f.cache().Prune(t.Context(), PruneOptions{DryRun: dry})
		if err != nil || freed.Files != 5 || freed.Bytes < 5*5000 {
			t.Errorf("dry run %v: %+v, %v", dry, freed, err)
		}
	}
	for _, path := range kept {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	all, _ := filepath.Glob(filepath.Join(f.dir, "[id]*/*"))
	if len(all) != len(kept) {
		t.Errorf("left %v", all)
	}
}

// TestRemove removes images by name and digest, with what only they needed.
func TestRemove(t *testing.T) {
	complete := func(s string) (string, error) { return "docker.io/library/" + s, nil }
	for name, c := range map[string]struct {
		refs    []string
		entries string
		left    string
		code    status.Code
	}{
		"by name":                  {[]string{"docker.io/library/a:1"}, "=c docker.io/library/a:2=a docker.io/library/b:1=b", "a a.config b b.config c c.config stray x y z", status.OK},
		"by a short name":          {[]string{"b:1"}, "=c docker.io/library/a:1=a docker.io/library/a:2=a", "a a.config c c.config stray x y z", status.OK},
		"all names":                {[]string{"a:1", "a:2"}, "=c docker.io/library/b:1=b", "b b.config c c.config stray y z", status.OK},
		"by digest":                {[]string{"digest of a"}, "=c docker.io/library/b:1=b", "b b.config c c.config stray y z", status.OK},
		"by the start of a digest": {[]string{"start of c"}, "docker.io/library/a:1=a docker.io/library/a:2=a docker.io/library/b:1=b", "a a.config b b.config stray x y", status.OK},
		"one does not exist":       {[]string{"a:1", "d:1"}, "=c docker.io/library/a:1=a docker.io/library/a:2=a docker.io/library/b:1=b", "a a.config b b.config c c.config stray x y z", status.NoInput},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			a, third := f.image("a", "xy", 9), f.image("c", "z", 0)
			f.tag("docker.io/library/a:1", a, none)
			f.tag("docker.io/library/a:2", a, none)
			f.tag("docker.io/library/b:1", f.image("b", "y", 9), none)
			f.tag("", third, none)
			f.blob("stray", "", "stray", 9)
			for i, r := range c.refs {
				switch r {
				case "digest of a":
					c.refs[i] = "a@" + string(a.Digest)
				case "start of c":
					c.refs[i] = string(third.Digest)[:len("sha256:")+12]
				}
			}
			_, err := f.cache().Remove(t.Context(), c.refs, complete)
			if status.Of(err) != c.code || f.entries() != c.entries || f.left() != c.left {
				t.Errorf("%v\nentries %q, left %q\nwant    %q, left %q", err, f.entries(), f.left(), c.entries, c.left)
			}
			f.clean()
		})
	}
}

// TestRemoveShared removes an image that shares layers with a manifest that no entry
// leads to, while a process uses that.
func TestRemoveShared(t *testing.T) {
	for name, use := range map[string]func(f *fixture, l *layout.Layout, d v1.Descriptor) (func(), error){
		"locked": func(f *fixture, l *layout.Layout, d v1.Descriptor) (func(), error) {
			hold, err := l.Hold(f.Context(), d.Digest)
			return func() { hold.Close() }, err
		},
		"used since": func(_ *fixture, l *layout.Layout, d v1.Descriptor) (func(), error) {
			l.Touch(d.Digest)
			return func() {}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.tag("a:1", f.image("a", "xy", 9), none)
			other := f.image("b", "yz", 9)
			l, err := layout.Open(f.dir)
			if err != nil {
				t.Fatal(err)
			}
			var end func()
			_, err = f.cache().Remove(t.Context(), []string{"a"}, func(string) (string, error) { // the plan is made
				end, err = use(f, l, other)
				return "a:1", err
			})
			defer end()
			if err != nil || f.left() != "b b.config y z" || f.entries() != "" {
				t.Errorf("%v, left %s, entries %s", err, f.left(), f.entries())
			}
		})
	}
}

// TestRemoveIndex removes images by the digest of the index that they came through.
func TestRemoveIndex(t *testing.T) {
	for name, c := range map[string]struct {
		ref     func(top, a v1.Descriptor) string
		entries string
	}{
		"as it was fetched":   {func(top, _ v1.Descriptor) string { return "reg.example.org/i@" + string(top.Digest) }, "c:1=c"},
		"start of the digest": {func(top, _ v1.Descriptor) string { return string(top.Digest)[:len("sha256:")+12] }, "c:1=c"},
		"one of its images":   {func(_, a v1.Descriptor) string { return string(a.Digest) }, "=b c:1=c"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			a, b := f.image("a", "x", 9), f.image("b", "y", 9)
			top := f.index("top", 9, a, b)
			f.tag("", a, top)
			f.tag("", b, top)
			f.tag("c:1", f.image("c", "z", 9), none)
			if _, err := f.cache().Remove(t.Context(), []string{c.ref(top, a)}, exact); err != nil || f.entries() != c.entries {
				t.Errorf("%v, entries %s, want %s", err, f.entries(), c.entries)
			}
			if left := f.left(); c.entries == "c:1=c" && left != "c c.config z" {
				t.Errorf("left %s", left)
			}
			f.clean()
		})
	}
}

// TestRemoveUnreadable removes the image for which Prune refuses to work, and keeps
// blobs while another is unreadable.
func TestRemoveUnreadable(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"a", "b"} {
		d := f.image(name, name, 9)
		f.tag(name, d, none)
		if err := os.Remove(f.path(d.Digest)); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct{ ref, entries string }{{"a", "b=b"}, {"b", ""}} {
		if _, err := f.cache().Remove(t.Context(), []string{step.ref}, exact); err != nil || f.entries() != step.entries {
			t.Errorf("%v, entries %s", err, f.entries())
		}
		if f.left() != "a a b.config b a.config" && f.left() != "a a.config b b.config" {
			t.Errorf("left %s", f.left())
		}
	}
	if len(f.warns) != 1 {
		t.Errorf("warnings: %q", f.warns)
	}
	if _, err := f.cache().Prune(t.Context(), PruneOptions{}); err != nil || f.left() != "" {
		t.Errorf("%v, left %s", err, f.left())
	}
}
