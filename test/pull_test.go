// SPDX-License-Identifier: Apache-2.0

package test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestPull checks the main promise: one command, run by an ordinary user,
// turns a real image in a real registry into a filesystem that holds what root
// would have unpacked.
func TestPull(t *testing.T) {
	needRoot(t)
	need(t, "e2fsck", "dumpe2fs", "mount", "umount")
	img := debian(t)
	ref := img.push(t, startRegistry(t), "acme/debian:bookworm")
	want := readTree(t, img.unpack(t))
	checkUnpacked(t, want)
	u := newUser(t, nobody)

	dir := output(t, u.command("banger", "image", "pull", ref))
	ext4 := filepath.Join(dir, "rootfs.ext4")

	t.Run("published", func(t *testing.T) { checkPublished(t, u, dir, ref) })
	t.Run("record", func(t *testing.T) { checkRecord(t, dir, ref, want) })
	t.Run("clean", func(t *testing.T) { output(t, exec.Command(which("e2fsck"), "-fn", ext4)) })
	t.Run("format", func(t *testing.T) { checkFormat(t, ext4, want) })
	t.Run("tree", func(t *testing.T) { checkMounted(t, ext4, want) })
	t.Run("cache", func(t *testing.T) { checkCache(t, u, ref, want) })
	t.Run("same bytes", func(t *testing.T) { checkSameBytes(t, u, ext4, ref) })
}

// checkUnpacked checks that umoci and the host kept what the test is about;
// otherwise an equal tree would prove little.
func checkUnpacked(t *testing.T, tree map[string]facts) {
	t.Helper()
	for _, c := range []struct{ path, fact, want string }{
		{"usr/bin/sudo", "mode", "4755"},
		{"usr/bin/ping", "xattr.security.capability", netRaw},
		{"usr/bin/ping6", "type", ""},
		{"usr/share/doc/sudo", "type", ""},
		{"lib", "type", "link"},
		{"usr/lib/x/y", "names", `["usr/bin/x" "usr/lib/x/y"]`},
		{"etc/issue", "size", "9"},
		{"opt/x/shadow", "mode", "0000"},
		{"opt/x/noted", "xattr.user.note", "a\x00b\n\xff"},
		{"opt/x/acl", "xattr.system.posix_acl_access", acl(1000)},
		{"opt/x/last", "owner", "4294967294:4294967294"},
		{"opt/x/old", "mtime", "-1.000000001"},
		{"opt/x/char", "device", "10,200"},
		{"opt/x/fifo", "type", "fifo"},
		{"opt/x/links/a", "names", `["opt/x/links/a"]`},
		{"opt/x/link-to/new", "type", "file"},
		{"opt/x/opaque/a", "type", ""},
		{"opt/x/odd/new\nline", "type", "file"},
		{"opt/x/odd/latin1-\xe9", "type", "file"},
	} {
		if got := tree[c.path][c.fact]; got != c.want {
			t.Fatalf("umoci's tree cannot be compared: %q: %s is %q, want %q", c.path, c.fact, got, c.want)
		}
	}
}

// checkPublished checks that the image is in place, under the name of its
// reference, and that nothing else is left.
func checkPublished(t *testing.T, u user, dir, ref string) {
	if want := filepath.Join(u.home, ".local/state/banger/images/acme-debian-bookworm"); dir != want {
		t.Errorf("printed %s, want %s", dir, want)
	}
	if got := output(t, u.command("banger-image", "path", "acme-debian-bookworm")); got != dir {
		t.Errorf("banger-image path printed %s", got)
	}
	var listed struct{ Name, Reference string }
	fromJSON(t, output(t, u.command("banger-image", "list", "--json")), &listed)
	if listed.Name != "acme-debian-bookworm" || listed.Reference != ref {
		t.Errorf("banger-image list --json printed %+v", listed)
	}
	if fi, err := os.Stat(filepath.Join(dir, "rootfs.ext4")); err != nil || fi.Mode() != 0o444 {
		t.Errorf("rootfs.ext4: %v %v, want a file of mode 0444", fi.Mode(), err)
	}
	if names := list(t, dir); !slices.Equal(names, []string{"config.json", "image.json", "initrd.img", "rootfs.ext4"}) {
		t.Errorf("the image holds %q", names)
	}
	noLeftovers(t, u)
}

// noLeftovers fails the test if a file in the user's home has a temporary name.
func noLeftovers(t *testing.T, u user) {
	t.Helper()
	err := filepath.WalkDir(u.home, func(path string, _ fs.DirEntry, err error) error {
		base := filepath.Base(path)
		if strings.Contains(base, ".staging-") || strings.HasPrefix(base, "banger-pull-") || strings.HasSuffix(filepath.Dir(path), "/banger/machines") && base != ".lock" || strings.HasPrefix(base, "banger-kernel-") || strings.HasPrefix(base, ".fetch-") {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A record is the part of image.json that the test checks.
type record struct {
	Version                     int
	Reference, Digest, Platform string
	Initrd                      string
	Layers                      []string
	Entries                     int
	ContentBytes                int64 `json:"content_bytes"`
	Blocks                      int64
	Ext4                        struct {
		Size         int64
		FreeBytes    int64 `json:"free_bytes"`
		FreeInodes   int64 `json:"free_inodes"`
		SHA256, Mkfs string
	}
}

// checkRecord compares config.json and image.json, but for the time, with the
// output of skopeo, umoci and dumpe2fs.
func checkRecord(t *testing.T, dir, ref string, tree map[string]facts) {
	rawConfig := inspect(t, "docker://"+ref, "--config")
	if got := read(t, filepath.Join(dir, "config.json")); got != rawConfig {
		t.Errorf("config.json is\n%s\nwant\n%s", got, rawConfig)
	}
	var manifest struct{ Layers []struct{ Digest string } }
	fromJSON(t, inspect(t, "docker://"+ref), &manifest)
	ext4 := filepath.Join(dir, "rootfs.ext4")
	super := dumpe2fs(t, ext4)
	var got record
	fromJSON(t, read(t, filepath.Join(dir, "image.json")), &got)
	want := record{
		Version: 1, Reference: ref, Digest: digestOf(t, ref), Platform: "linux/" + runtime.GOARCH,
		Entries: len(tree), Initrd: "initrd.img",
	}
	for _, l := range manifest.Layers {
		want.Layers = append(want.Layers, l.Digest)
	}
	want.ContentBytes, want.Blocks = content(t, tree)
	want.Ext4.Size = super.number(t, "Block count") * 4096
	want.Ext4.FreeBytes = super.number(t, "Free blocks") * 4096
	want.Ext4.FreeInodes = super.number(t, "Free inodes")
	want.Ext4.SHA256, want.Ext4.Mkfs = hash(t, ext4), mkfsVersion(t)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("image.json is\n%+v, want\n%+v", got, want)
	}
}

// digestOf returns the digest of a manifest in a registry.
func digestOf(t testing.TB, ref string) string {
	t.Helper()
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(inspect(t, "docker://"+ref))))
}

// mkfsVersion returns the version of the host's e2fsprogs.
func mkfsVersion(t testing.TB) string {
	t.Helper()
	need(t, "mkfs.ext4")
	version, err := versionOf(which("mkfs.ext4"))
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// versionOf returns the version of a mkfs.ext4.
func versionOf(mkfs string) (string, error) {
	out, err := exec.Command(mkfs, "-V").CombinedOutput()
	if words := strings.Fields(string(out)); err == nil && len(words) > 1 {
		return words[1], nil
	}
	return "", fmt.Errorf("%s -V: %w\n%s", mkfs, err, out)
}

// features are the features of every image.
const features = "64bit dir_index dir_nlink ext_attr extent extra_isize filetype flex_bg has_journal huge_file " +
	"large_file metadata_csum resize_inode sparse_super"

// checkFormat checks the features, the sizes (at least 1 GiB, with a quarter
// of the content and of the inodes free) and that the file is sparse.
func checkFormat(t *testing.T, ext4 string, want map[string]facts) {
	super := dumpe2fs(t, ext4)
	got := strings.Fields(super["Filesystem features"])
	slices.Sort(got)
	if got := strings.Join(got, " "); got != features {
		t.Errorf("features are\n%s, want\n%s", got, features)
	}
	for key, want := range map[string]int64{"Block size": 4096, "Inode size": 256, "Reserved block count": 0} {
		if got := super.number(t, key); got != want {
			t.Errorf("%s is %d, want %d", key, got, want)
		}
	}
	_, blocks := content(t, want)
	if free := super.number(t, "Free blocks"); free < blocks/4 {
		t.Errorf("%d blocks free, %d of content", free, blocks)
	}
	if free, all := super.number(t, "Free inodes"), super.number(t, "Inode count"); free < (all-free)/4 {
		t.Errorf("%d inodes free of %d", free, all)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(ext4, &st); err != nil {
		t.Fatal(err)
	}
	if count := super.number(t, "Block count"); st.Size < 1<<30 || st.Size != count*4096 {
		t.Errorf("the file has %d bytes, the filesystem %d blocks", st.Size, count)
	}
	if st.Blocks*512 > blocks*4096+64<<20 {
		t.Errorf("%d bytes on the host for %d blocks of content", st.Blocks*512, blocks)
	}
}

// checkMounted compares the mounted image.
func checkMounted(t *testing.T, ext4 string, want map[string]facts) {
	root := mount(t, ext4)
	got := readTree(t, root)
	if want["lost+found"] == nil {
		delete(got, "lost+found")
	}
	sameTree(t, got, want)
	for name, blocks := range map[string]int64{"empty": 0, "zeros": 0, "hole": 2, "tail": 1, "head": 2, "one": 1} {
		var st syscall.Stat_t
		if err := syscall.Stat(filepath.Join(root, "opt/x", name), &st); err != nil {
			t.Error(err)
		} else if st.Blocks != blocks*8 {
			t.Errorf("opt/x/%s takes %d sectors, want %d", name, st.Blocks, blocks*8)
		}
	}
}

// checkCache checks that skopeo copies the image from the cache, and umoci
// unpacks it in place.
func checkCache(t *testing.T, u user, ref string, want map[string]facts) {
	line := output(t, u.command("banger-fetch", ref))
	layout := filepath.Join(u.home, ".cache/banger/oci")
	name, _, ok := strings.Cut(strings.TrimPrefix(line, layout+":"), "@sha256:")
	if !ok || layout+":"+name+"@sha256:" == line {
		t.Fatalf("banger-fetch printed %q", line)
	}
	other := image{filepath.Join(scratch(t), "other"), "x"}
	skopeo(t, "copy", "--quiet", "oci:"+layout+":"+name, "oci:"+other.String())
	if got, want := inspect(t, "oci:"+other.String()), inspect(t, "docker://"+ref); got != want {
		t.Errorf("skopeo copied the manifest\n%s\nwant\n%s", got, want)
	}
	sameTree(t, readTree(t, image{layout, name}.unpack(t)), want)
}

// checkSameBytes checks that the image does not depend on the user (root
// included), directory, umask, locale or time zone.
func checkSameBytes(t *testing.T, u user, ext4, ref string) {
	want := hash(t, ext4)
	root := output(t, newUser(t, 0).command("banger", "image", "pull", ref))
	if got := hash(t, filepath.Join(root, "rootfs.ext4")); got != want {
		t.Errorf("root's image has sha256 %s, the user's %s", got, want)
	}
	cmd := elsewhere(u.command("banger", "image", "pull", "--name", "other", ref))
	if got := hash(t, filepath.Join(output(t, cmd), "rootfs.ext4")); got != want {
		t.Errorf("another umask, time zone, locale and directory: sha256 %s, want %s", got, want)
	}
}

// TestCompression checks that zstd layers from a registry and gzip layers from
// umoci's layout give the same tree.
func TestCompression(t *testing.T) {
	img, u := debian(t), newUser(t, uint32(os.Getuid()))
	ref := startRegistry(t) + "/debian:zstd"
	skopeo(t, "copy", "--quiet", "--dest-tls-verify=false", "--dest-compress-format=zstd", "oci:"+img.String(), "docker://"+ref)
	if manifest := inspect(t, "docker://"+ref); strings.Count(manifest, "tar+zstd") != 4 {
		t.Fatalf("skopeo pushed something else: %s", manifest)
	}
	zstd := output(t, u.command("sh", "-c", `banger-fetch "$1" | banger-flatten -o zstd`, "sh", ref))
	gzip := output(t, u.command("banger-flatten", "-o", "gzip", img.String()))
	output(t, u.command("cmp", zstd+"/rootfs.mtree", gzip+"/rootfs.mtree"))
	output(t, u.command("diff", "-r", "--no-dereference", zstd+"/rootfs", gzip+"/rootfs"))
}
