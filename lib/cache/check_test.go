// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// check returns what Check reports, a line for each problem, with names for digests.
func (f *fixture) check() (string, error) {
	var lines []string
	err := f.cache().Check(f.Context(), func(problem, hint string) {
		for d, name := range f.names {
			problem = strings.ReplaceAll(problem, string(d), name)
		}
		problem = strings.ReplaceAll(problem, f.dir, "DIR")
		lines = append(lines, strings.TrimSuffix(problem+" > "+hint, " > "))
	}, func(int64, int64) {})
	return strings.Join(lines, "\n"), err
}

// TestCheck damages blobs.
func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		harm     func(f *fixture) error
		want     string
		left     string
		problems string
	}{
		"nothing": {func(*fixture) error { return nil }, "", "a a.config b b.config x y", ""},
		"a layer of one image, of the same size": {func(f *fixture) error { return f.harm("x", "LAYER x") },
			"x: damaged; moved to DIR/damaged\nreg.example.org/a:1: lacks 1 blob > banger-fetch reg.example.org/a:1",
			"a a.config b b.config y", "1 blob damaged, 1 image not complete"},
		"a layer of two images": {func(f *fixture) error { return f.harm("y", "") },
			"y: damaged; moved to DIR/damaged\nreg.example.org/b:1: lacks 1 blob > banger-fetch --platform linux/arm64 reg.example.org/b:1\n" +
				"reg.example.org/a:1: lacks 1 blob > banger-fetch reg.example.org/a:1",
			"a a.config b b.config x", "1 blob damaged, 2 images not complete"},
		"a manifest": {func(f *fixture) error { return f.harm("a", "{}") },
			"a: damaged; moved to DIR/damaged\nreg.example.org/a:1: lacks 1 blob > banger-fetch reg.example.org/a:1",
			"a.config b b.config x y", "1 blob damaged, 1 image not complete"},
		"a missing layer": {func(f *fixture) error { return os.Remove(f.named("x")) },
			"reg.example.org/a:1: lacks 1 blob > banger-fetch reg.example.org/a:1",
			"a a.config b b.config y", "0 blobs damaged, 1 image not complete"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.tag("reg.example.org/a:1", f.image("a", "xy", 9), none)
			b := f.image("b", "y", 9)
			b.Platform = &v1.Platform{OS: "linux", Architecture: "arm64"}
			f.tag("reg.example.org/b:1", b, none)
			if err := c.harm(f); err != nil {
				t.Fatal(err)
			}
			got, err := f.check()
			if got != c.want || f.left() != c.left {
				t.Errorf("reported:\n%s\nwant:\n%s\nleft %s", got, c.want, f.left())
			}
			if c.problems == "" && err != nil || c.problems != "" && (status.Of(err) != status.Bad || err.Error() != c.problems) {
				t.Errorf("error %v, want %s", err, c.problems)
			}
		})
	}
}

// An image that came from an archive may have no registry.
func TestCheckSaved(t *testing.T) {
	f := newFixture(t)
	f.tag("localhost/app:1", f.image("a", "x", 9), none)
	if err := os.Remove(f.named("x")); err != nil {
		t.Fatal(err)
	}
	const want = "localhost/app:1: lacks 1 blob > banger-fetch localhost/app:1, or fetch it from the layout or archive that it came from"
	if got, err := f.check(); got != want || status.Of(err) != status.Bad {
		t.Errorf("%s, %v", got, err)
	}
}

func (f *fixture) named(name string) string {
	for d, n := range f.names {
		if n == name {
			return f.path(d)
		}
	}
	return ""
}

func (f *fixture) harm(name, content string) error {
	return os.WriteFile(f.named(name), []byte(content), 0o666)
}

// Prune leaves a damaged blob for a day after it was moved.
func TestCheckPrune(t *testing.T) {
	f := newFixture(t)
	f.tag("a:1", f.image("a", "x", 9), none)
	if err := f.harm("x", "LAYER x"); err != nil {
		t.Fatal(err)
	}
	f.age(f.named("x"), 9)
	if _, err := f.check(); status.Of(err) != status.Bad {
		t.Fatal(err)
	}
	aside := filepath.Join(f.dir, "damaged", "sha256-"+filepath.Base(f.named("x")))
	for _, want := range []int{0, 1} {
		freed, err := f.cache().Prune(t.Context(), PruneOptions{})
		if err != nil || freed.Files != want {
			t.Errorf("freed %+v, %v; want %d files", freed, err, want)
		}
		if want == 0 {
			f.age(aside, 2)
		}
	}
}

// A blob that is replaced while it is read is left alone.
func TestCheckReplaced(t *testing.T) {
	f := newFixture(t)
	f.image("a", "x", 9)
	if err := f.harm("x", "LAYER x"); err != nil {
		t.Fatal(err)
	}
	var replaced bool
	err := f.cache().Check(t.Context(), func(problem, _ string) { t.Error(problem) }, func(_, done int64) {
		if done == int64(len("LAYER x")) && !replaced { // x is being read
			replaced = true
			f.blob("x", "", "layer x", 9)
		}
	})
	if err != nil || !replaced || f.left() != "a a.config x" {
		t.Errorf("%v, replaced %v, left %s", err, replaced, f.left())
	}
	f.clean()
}

// A cache that was only begun is empty. One that has images, and a directory that is no
// cache, are not.
func TestBegun(t *testing.T) {
	remove := func(names ...string) func(f *fixture) error {
		return func(f *fixture) (err error) {
			for _, name := range names {
				err = errors.Join(err, os.RemoveAll(filepath.Join(f.dir, name)))
			}
			return err
		}
	}
	for name, c := range map[string]struct {
		harm func(f *fixture) error
		code status.Code
	}{
		"blobs":                {remove("index.json", "oci-layout"), status.OK},
		"blobs and index.json": {remove("oci-layout"), status.OK},
		"a directory":          {remove("index.json", "oci-layout", "blobs"), status.OK},
		"another directory": {func(f *fixture) error {
			return errors.Join(remove("index.json", "oci-layout")(f), os.WriteFile(filepath.Join(f.dir, "file"), nil, 0o666))
		}, status.NoInput},
		"what a killed process left": {func(f *fixture) error {
			return errors.Join(remove("index.json", "oci-layout")(f), os.Mkdir(filepath.Join(f.dir, ".fetch.staging-ABCDEFGHIJKLMNOP"), 0o777))
		}, status.OK},
		"images": {func(f *fixture) error {
			f.tag("a:1", f.image("a", "x", 9), none)
			return remove("oci-layout")(f)
		}, status.NoInput},
		"a damaged index.json": {func(f *fixture) error {
			return errors.Join(remove("oci-layout")(f), os.WriteFile(filepath.Join(f.dir, "index.json"), []byte("{"), 0o666))
		}, status.NoInput},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if err := c.harm(f); err != nil {
				t.Fatal(err)
			}
			cache, err := Open(f.dir, nil)
			if status.Of(err) != c.code {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			images, err := cache.Images()
			freed, e := cache.Prune(t.Context(), PruneOptions{})
			if err := errors.Join(err, e); err != nil || len(images)+freed.Blobs != 0 {
				t.Errorf("%v, %+v, %v", images, freed, err)
			}
			f.writer().Close()
			f.clean()
		})
	}
}

// What is not a blob is named and left alone, by Prune too.
func TestOtherFiles(t *testing.T) {
	f := newFixture(t)
	if err := os.WriteFile(filepath.Join(f.dir, "blobs/sha256/x.tmp"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := f.check(); got != "" || err != nil || len(f.warns) != 1 || !strings.Contains(f.warns[0], "x.tmp: not a blob") {
		t.Errorf("%s, %v, %q", got, err, f.warns)
	}
	freed, err := f.cache().Prune(t.Context(), PruneOptions{})
	if err != nil || freed.Blobs != 0 {
		t.Errorf("%+v, %v", freed, err)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "blobs/sha256/x.tmp")); err != nil {
		t.Error(err)
	}
}
