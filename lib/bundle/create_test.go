// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"banger/lib/status"
)

const sampleManifest = `#mtree v2.0
. type=dir uid=0 gid=0 mode=0755 time=1600000000.000000000
./dir type=dir uid=0 gid=0 mode=0555 time=1500000000.000000000
./dir/shadow type=file uid=0 gid=42 mode=0000 size=10 time=1500000000.000000000
./dir/sudo2 type=file uid=0 gid=0 mode=4755 nlink=2 size=4 time=1500000000.000000000
./link type=link uid=0 gid=0 mode=0777 nlink=2 link=/etc/passwd time=1500000000.000000000
./link2 type=link uid=0 gid=0 mode=0777 nlink=2 link=/etc/passwd time=1500000000.000000000
./null type=char uid=0 gid=0 mode=0666 time=1500000000.000000000 device=linux,1,3
./odd\040name\012 type=fifo uid=0 gid=0 mode=0600 time=1500000000.000000000
./sudo type=file uid=0 gid=0 mode=4755 nlink=2 size=4 time=1500000000.000000000
`

func TestCreate(t *testing.T) {
	f := newFixture(t, sample(t))
	image := f.image(t)
	bundle, err := f.create(t, image)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(bundle, ManifestFile)); got != sampleManifest {
		t.Errorf("manifest\n%swant\n%s", got, sampleManifest)
	}
	if got := read(t, filepath.Join(bundle, ConfigFile)); got != string(image.RawConfig) {
		t.Errorf("config is not the image's byte for byte: %s", got)
	}
	r, err := ReadRecord(filepath.Join(bundle, RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	if r.Digest != image.Manifest.Digest || r.Platform != "linux/amd64" || r.Entries != 9 ||
		r.ContentBytes != 14 || r.Blocks != 2 || len(r.Layers) != 1 || !r.Created.Equal(time.Unix(1600000000, 0)) {
		t.Errorf("record %+v", r)
	}
	var names []string
	entries, _ := os.ReadDir(bundle)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "config.json image.json rootfs rootfs.mtree" {
		t.Errorf("the bundle holds %s", got)
	}
}

// The tree is readable and has no special files, for any user.
func TestTreeIsSafe(t *testing.T) {
	f := newFixture(t, sample(t))
	bundle, err := f.create(t, f.image(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	root := filepath.Join(bundle, TreeDir)
	err = filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		name, _ := filepath.Rel(root, path)
		got = append(got, fmt.Sprintf("%q %v", name, info.Mode()))
		return err
	})
	want := `"." drwx------
"dir" drwx------
"dir/shadow" -rw-------
"dir/sudo2" -rw-------
"link" Lrwxrwxrwx
"link2" Lrwxrwxrwx
"null" -rw-------
"odd name\n" -rw-------
"sudo" -rw-------`
	if all := strings.Join(got, "\n"); err != nil || all != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, all, want)
	}
}

// A layer that does not match its digest, size or DiffID makes no bundle and
// leaves no files.
func TestCreateFails(t *testing.T) {
	good := append(sample(t), make([]byte, 512)...) // bytes after the end of the archive
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, f *fixture)
		want   string
	}{
		{"a DiffID of something else", func(t *testing.T, f *fixture) {
			f.config.RootFS.DiffIDs[0] = digest.FromString("something else")
		}, "DiffID"},
		{"a byte changed after the end of the archive", func(t *testing.T, f *fixture) {
			other := append(append([]byte(nil), good...), 0)
			f.manifest.Layers[0] = f.put(t, f.manifest.Layers[0].MediaType, other)
		}, "DiffID"},
		{"a blob with another byte in a file", func(t *testing.T, f *fixture) {
			other := append([]byte(nil), good...)
			other[bytes.LastIndex(other, []byte("dir/shadow"))] ^= 1
			write(t, f.blob(f.manifest.Layers[0].Digest), string(other))
		}, "digest"},
		{"a blob with another byte after the end of the archive", func(t *testing.T, f *fixture) {
			other := append([]byte(nil), good...)
			other[len(other)-1] = 1
			write(t, f.blob(f.manifest.Layers[0].Digest), string(other))
		}, "digest"},
		{"a blob whose archive is damaged", func(t *testing.T, f *fixture) {
			other := append([]byte(nil), good...)
			other[0] ^= 1 // found first, but not the cause
			write(t, f.blob(f.manifest.Layers[0].Digest), string(other))
		}, "digest mismatch"},
		{"a blob that is short", func(t *testing.T, f *fixture) {
			write(t, f.blob(f.manifest.Layers[0].Digest), string(good[:len(good)-1]))
		}, "truncated"},
		{"a blob that is long", func(t *testing.T, f *fixture) {
			write(t, f.blob(f.manifest.Layers[0].Digest), string(good)+"x")
		}, "longer"},
		{"a descriptor with another size", func(t *testing.T, f *fixture) {
			f.manifest.Layers[0].Size++
		}, "truncated"},
		{"an archive that makes no tree", func(t *testing.T, f *fixture) {
			bad := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "a"}, tar.Header{Typeflag: tar.TypeReg, Name: "a/b"})
			f.manifest.Layers[0] = f.put(t, f.manifest.Layers[0].MediaType, bad)
			f.config.RootFS.DiffIDs[0] = digest.FromBytes(bad)
		}, "not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, good)
			c.damage(t, f)
			bundle, err := f.create(t, f.image(t))
			if err == nil || !strings.Contains(err.Error(), c.want) || status.Of(err) != status.Bad {
				t.Errorf("status %d: %v; want %s", status.Of(err), err, c.want)
			}
			nothingIn(t, filepath.Dir(bundle))
		})
	}
}

// An interrupted Create leaves no files.
func TestCreateInterrupted(t *testing.T) {
	f := newFixture(t, sample(t))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := t.TempDir()
	if err := Create(ctx, filepath.Join(dir, "x.bundle"), f.image(t), options()); err == nil {
		t.Error("no error")
	}
	nothingIn(t, dir)
}

// Creation times out of range of ext4 are clamped. Some builders write year 1 for
// an unknown time.
func TestCreatedOutOfRange(t *testing.T) {
	for _, created := range []time.Time{{}, time.Date(1850, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)} {
		f := newFixture(t, archive(t))
		f.config.Created = &created
		bundle, err := f.create(t, f.image(t))
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(context.Background(), bundle, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if sec := s.Tree.Root.Sec; sec < -1<<31 || sec >= 1<<34-1<<31 {
			t.Errorf("created %v: the root's time is %d", created, sec)
		}
	}
}

func nothingIn(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Create overwrites nothing. With Replace it replaces only a bundle.
func TestCreateOver(t *testing.T) {
	f := newFixture(t, sample(t))
	image := f.image(t)
	bundle, err := f.create(t, image)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(bundle, "old"), "")
	if err := Create(context.Background(), bundle, image, options()); status.Of(err) != status.Create {
		t.Errorf("over a bundle: %v", err)
	}
	o := options()
	o.Replace = true
	if err := Create(context.Background(), bundle, image, o); err != nil {
		t.Errorf("in place of a bundle: %v", err)
	}
	if _, err := os.Stat(filepath.Join(bundle, "old")); err == nil {
		t.Error("old bundle not replaced")
	}
	mine := t.TempDir()
	if err := Create(context.Background(), mine, image, o); status.Of(err) != status.Create {
		t.Errorf("in place of a directory: %v", err)
	}
}
