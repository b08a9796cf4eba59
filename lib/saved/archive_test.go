// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
	"banger/lib/status"
	"banger/lib/tar"
	"banger/lib/tar/tartest"
)

const (
	refName = v1.AnnotationRefName
	hello   = "docker.io/library/hello:latest"
)

var (
	amd64  = newImage("amd64", "one layer", "another")
	second = newImage("amd64", "second")
	arm64  = newImage("arm64", "for arm")
)

func gzipped(raw []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(raw)
	w.Close()
	return b.Bytes()
}

// Archives of each shape give the image with its name. Those of the same kind give
// the same digest.
func TestShapes(t *testing.T) {
	ids := []string{strings.Repeat("a", 64), strings.Repeat("b", 64)}
	ociIndex := marshal(v1.Index{MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{
		on(arm64, "linux", "arm64"), on(amd64, "linux", "amd64"), on(second, "unknown", "unknown")}})
	ociIndex = strings.Replace(ociIndex, "{", `{"schemaVersion":2,`, 1)
	top := describe(v1.MediaTypeImageIndex, ociIndex)
	top.Annotations = map[string]string{containerdName: hello, refName: "latest"}
	compressed := string(gzipped([]byte("one layer")))

	for name, c := range map[string]struct {
		archive    []byte
		reference  string // default "-"
		want       string
		sameDigest bool // as in the archive
		media      string
	}{
		"docker 25":         {join(amd64.blobs(), index(amd64.entry(containerdName, hello, refName, "latest")), file("manifest.json", "[]")), "", hello, true, ""},
		"index first":       {join(index(amd64.entry(containerdName, hello)), amd64.blobs()), "", hello, true, ""},
		"dots":              {join(tartest.Entry{Type: tar.Dir, Name: "./"}.Bytes(), amd64.blobs(), index(amd64.entry(refName, "a.io/b:1"))), "", "a.io/b:1", true, ""},
		"platforms":         {join(arm64.blobs(), amd64.blobs(), blob(ociIndex), index(top)), "", hello, true, ""},
		"platforms, absent": {join(amd64.blobs(), blob(ociIndex), index(top)), "", hello, true, ""},
		"no name":           {join(amd64.blobs(), index(amd64.entry())), "", "localhost/image", true, ""},
		"only a tag":        {join(amd64.blobs(), index(amd64.entry(refName, "1"))), "", "localhost/image:1", true, ""},
		"two names":         {join(amd64.blobs(), index(amd64.entry(refName, "a.io/b:1"), amd64.entry(refName, "a.io/b:2"))), "", "a.io/b:1", true, ""},
		"legacy": {join(file(ids[0]+"/layer.tar", "one layer"), file(ids[0]+"/json", "{}"), file(ids[1]+"/layer.tar", "another"),
			amd64.legacy([]string{"hello:latest"}, ids[0]+"/layer.tar", ids[1]+"/layer.tar")), "", hello, false, v1.MediaTypeImageLayer},
		"podman": {join(file("x.tar", "one layer"), link(tar.Symlink, ids[0]+"/layer.tar", "../x.tar"), file("y.tar", "another"),
			amd64.legacy([]string{hello}, ids[0]+"/layer.tar", "y.tar")), "", hello, false, v1.MediaTypeImageLayer},
		"symlink to a layer": {join(link(tar.Symlink, ids[0]+"/layer.tar", "../"+ids[1]+"/layer.tar"), file(ids[1]+"/layer.tar", "one layer"), file("y.tar", "another"),
			amd64.legacy([]string{"hello"}, ids[0]+"/layer.tar", "y.tar")), "", hello, false, v1.MediaTypeImageLayer},
		"manifest first": {join(amd64.legacy([]string{"hello"}, "x", "y"), file("x", "one layer"), file("y", "another")), "", hello, false, v1.MediaTypeImageLayer},
		"hard link":      {join(file("x", "one layer"), link(tar.Link, "z", "x"), file("y", "another"), amd64.legacy([]string{"hello"}, "z", "y")), "", hello, false, v1.MediaTypeImageLayer},
		"same twice":     {join(file("x", "one layer"), file("x", "one layer"), file("y", "another"), amd64.legacy([]string{"hello"}, "x", "y")), "", hello, false, v1.MediaTypeImageLayer},
		"gzip layer":     {join(file("x.gz", compressed), file("y", "another"), amd64.legacy([]string{"hello"}, "x.gz", "y")), "", hello, false, v1.MediaTypeImageLayerGzip},
	} {
		t.Run(name, func(t *testing.T) {
			archive := tartest.Archive(c.archive)
			for _, raw := range [][]byte{archive, gzipped(archive)} {
				cache := newCache(t)
				ref, err := cache.pull(t, "-", raw)
				if err != nil {
					t.Fatal(err)
				}
				if ref.Name != c.want {
					t.Errorf("name %q, want %q", ref.Name, c.want)
				}
				if same := ref.Digest == amd64.entry().Digest; c.sameDigest && !same {
					t.Errorf("digest %s", ref.Digest)
				}
				image := cache.check(t, ref)
				if c.media != "" && image.Layers[0].MediaType != c.media {
					t.Errorf("layer of type %s, want %s", image.Layers[0].MediaType, c.media)
				}
				if n := cache.files(t); n != 4 {
					t.Errorf("%d blobs in the cache, want 4", n)
				}
				if len(cache.warnings) != 0 {
					t.Error(cache.warnings)
				}
			}
		})
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func on(i img, os, arch string) v1.Descriptor {
	d := i.entry()
	d.Platform = &v1.Platform{OS: os, Architecture: arch}
	return d
}

// The made manifest has the same bytes for each archive of an image.
func TestSameDigest(t *testing.T) {
	var digests []digest.Digest
	for _, names := range [][]string{{"x", "y"}, {"a/layer.tar", "b/layer.tar"}} {
		ref, err := newCache(t).pull(t, "-", tartest.Archive(file(names[0], "one layer"), file(names[1], "another"), amd64.legacy(nil, names...)))
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, ref.Digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("digests differ: %v", digests)
	}
}

// Hostile and damaged archives are refused and leave no blob.
func TestHostile(t *testing.T) {
	good := index(amd64.entry(refName, "a.io/b:1"))
	lie := file("blobs/sha256/"+digest.FromString("truth").Encoded(), "a lie")
	misSized := amd64
	misSized.manifest = strings.Replace(amd64.manifest, `"size":9`, `"size":10`, 1)
	for name, c := range map[string]struct {
		archive []byte
		code    status.Code
		text    string
	}{
		"empty":            {nil, status.NoInput, "empty"},
		"text":             {[]byte(strings.Repeat("no tar ", 200)), status.Bad, "checksum"},
		"no end":           {join(amd64.blobs(), good), status.Bad, "truncated"},
		"only the end":     {tartest.Archive(), status.Bad, "not an image"},
		"root filesystem":  {tartest.Archive(file("etc/passwd", "x"), link(tar.Symlink, "etc/mtab", "/proc/mounts"), file("usr/bin/sh", "y")), status.Bad, "not an image"},
		"digest":           {tartest.Archive(amd64.blobs(), lie, good), status.Bad, "digest mismatch"},
		"parent":           {tartest.Archive(file("../x", ""), amd64.blobs(), good), status.Bad, "outside"},
		"parent inside":    {tartest.Archive(file("a/../../x", ""), amd64.blobs(), good), status.Bad, "outside"},
		"absolute":         {tartest.Archive(file("/etc/x", ""), amd64.blobs(), good), status.Bad, "outside"},
		"missing blob":     {tartest.Archive(blob(amd64.manifest), blob(amd64.config), blob("another"), good), status.NoInput, "archive: blob sha256:"},
		"wrong size":       {tartest.Archive(misSized.blobs(), index(misSized.entry())), status.Bad, "has 9 bytes, not 10"},
		"missing config":   {tartest.Archive(blob(amd64.manifest), good), status.NoInput, "archive: blob sha256:"},
		"huge index":       {tartest.Archive(amd64.blobs(), file("index.json", strings.Repeat(" ", 5<<20))), status.Bad, "too large"},
		"many values":      {tartest.Archive(amd64.blobs(), file("oci-layout", `{"imageLayoutVersion":"1.0.0"}`), file("index.json", strings.Repeat(",", 1<<18))), status.Bad, "too many values"},
		"deep index":       {tartest.Archive(file("oci-layout", `{"imageLayoutVersion":"1.0.0"}`), file("index.json", strings.Repeat("[", 1<<20))), status.Bad, "depth"},
		"layout version":   {tartest.Archive(amd64.blobs(), file("oci-layout", "{}"), file("index.json", "{}")), status.Bad, "unsupported version"},
		"two manifests":    {tartest.Archive(file("manifest.json", "[]"), file("manifest.json", "[ ]")), status.Bad, "two files"},
		"two layers":       {tartest.Archive(file("x", "1"), file("x", "2")), status.Bad, "two files"},
		"file and link":    {tartest.Archive(file("x", "1"), link(tar.Symlink, "x", "y")), status.Bad, "two files"},
		"no images":        {tartest.Archive(file("manifest.json", "[]")), status.NoInput, "no image"},
		"link up":          {tartest.Archive(link(tar.Symlink, "x", "../../etc/passwd"), file("y", "another"), amd64.legacy(nil, "x", "y")), status.Bad, "outside"},
		"link to a host's": {tartest.Archive(link(tar.Symlink, "x", "/etc/passwd"), file("y", "another"), amd64.legacy(nil, "x", "y")), status.Bad, "outside"},
		"hard link up":     {tartest.Archive(link(tar.Link, "x", "/etc/passwd"), file("y", "another"), amd64.legacy(nil, "x", "y")), status.Bad, "outside"},
		"loop":             {tartest.Archive(link(tar.Symlink, "x", "y"), link(tar.Symlink, "y", "x"), amd64.legacy(nil, "x", "y")), status.Bad, "too many links"},
		"name up":          {tartest.Archive(amd64.legacy(nil, "../../etc/passwd", "/etc/passwd")), status.Bad, "not in the archive"},
		"wrong layer":      {tartest.Archive(file("x", "one layer"), file("y", "tampered"), amd64.legacy(nil, "x", "y")), status.Bad, "DiffID"},
		"few layers":       {tartest.Archive(file("x", "one layer"), amd64.legacy(nil, "x")), status.Bad, "1 layers, 2 DiffIDs"},
		"long name":        {tartest.Archive(tartest.Pax("path", strings.Repeat("n", 2000)), file("x", "")), status.Bad, "name too long"},
		"huge file":        {join(tartest.Entry{Type: tar.File, Name: "x", Size: "77777777777\x00", Poke: func(h []byte) { copy(h[124:136], "\x80\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00") }}.Bytes()), status.Create, "free"},
		"other platform":   {tartest.Archive(arm64.blobs(), index(arm64.entry())), status.NoInput, "no image for linux/amd64"},
	} {
		t.Run(name, func(t *testing.T) {
			cache := newCache(t)
			_, err := cache.pull(t, "-", c.archive)
			if status.Of(err) != c.code || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("status %d: %v; want %d and %q", status.Of(err), err, c.code, c.text)
			}
			if n := cache.files(t); n != 0 {
				t.Errorf("%d blobs in the cache", n)
			}
		})
	}
}

// TestLimits reads archives with limits that are small.
func TestLimits(t *testing.T) {
	comment := strings.Repeat("c", 5000)
	for name, c := range map[string]struct {
		archive []byte
		text    string // "" for no error
	}{
		"long names": {tartest.Archive(tartest.Entry{Type: 'L', Data: "x" + strings.Repeat("\x00", 5000)}.Bytes(), link(tar.Symlink, "", "y")),
			"names and extended headers too large"},
		"records of skipped files": {tartest.Archive(tartest.Pax("comment", comment), file("a/b/c", "")), "names and extended headers too large"},
		"global records":           {tartest.Archive(tartest.Global("comment", comment)), "names and extended headers too large"},
		"a large file":             {tartest.Archive(file("x", strings.Repeat("x", 20_000))), "archive too large"},
		"a large file, skipped":    {tartest.Archive(file("a/b/c", strings.Repeat("x", 20_000))), "archive too large"},
		"many files":               {tartest.Archive(bytes.Repeat(file("x", "x"), 20)), "archive too large"},
		"data after the end":       {append(tartest.Archive(file("x", "x")), make([]byte, 20_000)...), "archive too large"},
		"within the limits":        {tartest.Archive(tartest.Pax("comment", comment[:1000]), file("x", comment)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			cache := newCache(t)
			w, err := layout.NewWriter(t.Context(), cache.dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			pending, err := w.NewPending("archive")
			if err != nil {
				t.Fatal(err)
			}
			a := newArchive(pending, w.CheckRoom)
			a.meta, a.size = 4000, 16_000
			p := pull{progress: func(_, _ int64) {}}
			err = p.unpack(t.Context(), a, bytes.NewReader(gzipped(c.archive)))
			if c.text == "" && err != nil || c.text != "" && (status.Of(err) != status.Bad || !strings.Contains(fmt.Sprint(err), c.text)) {
				t.Errorf("status %d: %v; want %q", status.Of(err), err, c.text)
			}
			w.Close()
			if hidden, err := filepath.Glob(filepath.Join(cache.dir, ".*")); err != nil || len(hidden)+cache.files(t) != 0 {
				t.Errorf("left in the cache: %v, %v", hidden, err)
			}
		})
	}
}

// An archive that ends early is refused, compressed or not.
func TestTruncated(t *testing.T) {
	oci := tartest.Archive(amd64.blobs(), index(amd64.entry(containerdName, hello)))
	old := tartest.Archive(file("x", "one layer"), file("y", "another"), amd64.legacy(nil, "x", "y"))
	random := rand.New(rand.NewPCG(18, 1))
	for _, whole := range [][]byte{oci, old, gzipped(oci)} {
		for range 40 {
			at := 1 + random.IntN(len(whole)-1)
			if bytes.Equal(whole[:2], oci[:2]) || bytes.Equal(whole[:2], old[:2]) {
				at = min(at, len(whole)-512) // half a block of the end is enough to miss it
			}
			cache := newCache(t)
			_, err := cache.pull(t, "-", whole[:at])
			if status.Of(err) != status.Bad || cache.files(t) != 0 {
				t.Errorf("cut to %d of %d bytes: status %d, %v", at, len(whole), status.Of(err), err)
			}
		}
	}
}

// With several images, the hint names one, and a name or a digest chooses.
func TestSeveral(t *testing.T) {
	archive := tartest.Archive(amd64.blobs(), second.blobs(), index(amd64.entry(containerdName, hello, refName, "latest"), second.entry(containerdName, "docker.io/a/b:latest", refName, "latest")))
	path := filepath.Join(t.TempDir(), "two:images.tar")
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	cache := newCache(t)
	_, err := cache.pull(t, "-", archive)
	if status.Of(err) != status.Usage || !strings.Contains(err.Error(), "2 images: "+hello+", docker.io/a/b:latest") ||
		status.HintOf(err) != "banger-fetch docker-archive:/dev/stdin:"+hello {
		t.Errorf("%v, hint %q", err, status.HintOf(err))
	}
	for reference, want := range map[string]img{
		"docker-archive:" + path + ":hello":                             amd64,
		"oci-archive:" + path + ":" + hello:                             amd64,
		"oci-archive:" + path + ":a/b":                                  second,
		"oci-archive:" + path + "@" + string(second.entry().Digest):     second,
		"oci-archive:" + path + ":a/b@" + string(second.entry().Digest): second,
	} {
		ref, err := cache.pull(t, reference, nil)
		if err != nil || ref.Digest != want.entry().Digest {
			t.Errorf("%s: %s, %v", reference, ref, err)
			continue
		}
		cache.check(t, ref)
	}
	_, err = cache.pull(t, "oci-archive:"+path+":other", nil)
	if status.Of(err) != status.NoInput {
		t.Errorf("another name: %v", err)
	}
}

// Many images with one large config, which is read once, and another image between them.
func TestSharedConfig(t *testing.T) {
	const images, size = 64, 1 << 20
	large := second
	large.config += strings.Repeat(" ", size)
	configs := join(file("large.json", large.config), file("small.json", amd64.config))
	var items []item
	for n := range images {
		items = append(items, item{"large.json", []string{fmt.Sprintf("large:%d", n)}, []string{"z"}})
	}
	items[images/2] = item{"small.json", []string{"small:1"}, []string{"x", "y"}}
	archive := tartest.Archive(configs, file("x", "one layer"), file("y", "another"), file("z", "second"), file("manifest.json", marshal(items)))
	path := filepath.Join(t.TempDir(), "many.tar")
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]img{"small:1": amd64, "large:0": large, "large:63": large} {
		cache := newCache(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		ref, err := cache.pull(t, "docker-archive:"+path+":"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		image := cache.check(t, ref)
		if string(image.RawConfig) != want.config || len(image.Layers) != len(want.layers) {
			t.Errorf("%s: %d layers, config %s", name, len(image.Layers), image.Config.RootFS.DiffIDs)
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > images*size/2 {
			t.Errorf("%s: %d bytes allocated", name, allocated)
		}
	}
}

// A name that cannot be kept is reported.
func TestOddNames(t *testing.T) {
	for _, name := range []string{"a b", "new\nline", "<none>:<none>", "-x", "../x"} {
		cache := newCache(t)
		ref, err := cache.pull(t, "-", tartest.Archive(amd64.blobs(), index(amd64.entry(refName, name))))
		if err != nil || ref.Name != "localhost/image" || len(cache.warnings) != 1 {
			t.Errorf("%q: %s, %v, %q", name, ref, err, cache.warnings)
		}
	}
}

// FuzzArchive reads any bytes as an archive: an image that is accepted is complete.
func FuzzArchive(f *testing.F) {
	f.Add(tartest.Archive(amd64.blobs(), index(amd64.entry(containerdName, hello))))
	f.Add(tartest.Archive(link(tar.Symlink, "z", "x"), file("x", "one layer"), file("y", "another"), amd64.legacy([]string{"hello"}, "z", "y")))
	f.Add(gzipped(tartest.Archive(amd64.blobs(), index(amd64.entry()))))
	f.Fuzz(func(t *testing.T, archive []byte) {
		cache := newCache(t)
		ref, err := cache.pull(t, "-", archive)
		if err == nil {
			cache.check(t, layout.Ref{Name: "", Digest: ref.Digest})
			return
		}
		if code := status.Of(err); code == status.Failed {
			t.Errorf("no status: %v", err)
		}
	})
}
