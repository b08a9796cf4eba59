// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTar checks that every archive reader extracts from banger-tar's archive
// what umoci unpacks from the image, and that flattening it gives the same
// manifest.
func TestTar(t *testing.T) {
	needRoot(t)
	need(t, "umoci")
	u := newUser(t, nobody)
	place := u.place(t)
	source := makeImage(t, filepath.Join(place, "layout"), "1", writeLayer(t, place, 1, tarEntries()))
	want := readTree(t, source.unpack(t))
	bundle := u.flattened(t, source, "x")
	archive := u.tar(t, bundle)
	manifest := read(t, filepath.Join(bundle, "rootfs.mtree"))

	t.Run("GNU tar", func(t *testing.T) {
		need(t, "tar")
		root := memory(t)
		output(t, exec.Command("tar", "-xpf", archive, "-C", root, "--numeric-owner", "--xattrs", "--xattrs-include=*"))
		// GNU tar decodes % in xattr names.
		ignored := func(path, _ string) bool { return path == percent }
		sameTree(t, without(ignored, readTree(t, root)), without(ignored, want))
	})
	t.Run("bsdtar", func(t *testing.T) {
		need(t, "bsdtar")
		root := memory(t)
		output(t, withEnv(exec.Command("bsdtar", "-xpf", archive, "-C", root, "--numeric-owner"), "LC_ALL=C.UTF-8"))
		got := readTree(t, root)
		if got[equals]["xattr.user.a=b%"] != "v" {
			t.Errorf("%s: %v", equals, got[equals])
		}
		// bsdtar misreads fractions of times before 1970, sets no system.
		// xattrs, and changes the root's mtime by extracting into it.
		ignored := func(path, fact string) bool {
			return path == equals || fact == "mtime" && (path == "." || strings.HasPrefix(want[path][fact], "-")) ||
				strings.HasPrefix(fact, "xattr.system.")
		}
		sameTree(t, without(ignored, got), without(ignored, want))
	})
	t.Run("umoci", func(t *testing.T) {
		again := makeImage(t, filepath.Join(u.place(t), "layout"), "1", archive)
		sameTree(t, readTree(t, again.unpack(t)), want)
		u.sameManifest(t, again, "umoci", manifest)
	})
	t.Run("skopeo", func(t *testing.T) {
		need(t, "skopeo")
		again := image{filepath.Join(u.place(t), "layout"), "1"}
		cmd := exec.Command("skopeo", "--insecure-policy", "copy", "--quiet", "tarball:-", "oci:"+again.String())
		cmd.Stdin = strings.NewReader(read(t, archive))
		output(t, cmd)
		u.sameManifest(t, again, "skopeo", manifest)
	})
	t.Run("mkfs.erofs", func(t *testing.T) {
		// mkfs.erofs 1.8 misreads fractions of times before 1970, reads .5 as
		// five nanoseconds, and needs the base64 padding that libarchive
		// omits.
		ignored := func(path, fact string) bool {
			sec, nsec, _ := strings.Cut(want[path]["mtime"], ".")
			shortened := strings.HasSuffix(nsec, "0") && nsec != "000000000"
			return path == equals || fact == "mtime" && (sec[0] == '-' || shortened)
		}
		sameTree(t, without(ignored, readTree(t, erofs(t, archive))), without(ignored, want))
	})
}

const (
	// equals has an xattr whose name must be encoded in a pax record; umoci
	// and GNU tar do not read the encoding.
	equals = "opt/x/equals"
	// percent has an xattr whose name GNU tar must encode.
	percent = "opt/x/percent"
)

// tarEntries is a layer of everything that an entry can describe.
func tarEntries() []entry {
	layer := []entry{directory("./").mode(0o711).owner(3, 4).xattr("user.root", "r"), directory("opt")}
	long := strings.Repeat("d", 99)
	for range 10 {
		layer, long = append(layer, directory(long)), long+"/"+long[:99]
	}
	layer = append(layer, file(long, "far down"))
	layer = append(layer, added()...)
	encoded := file(equals, "")
	encoded.PAXRecords = map[string]string{"LIBARCHIVE.xattr.user.a%3Db%25": "dg"}
	layer = append(layer, encoded, file(percent, "").xattr("user.100%25", "%"), file("opt/x/nothing", "").xattr("user.nothing", ""))
	// Again, as umoci changes the mtime of a directory that it adds to.
	return append(layer, layer[0])
}

// flattened flattens an image that root made.
func (u user) flattened(t testing.TB, i image, name string) string {
	t.Helper()
	output(t, exec.Command("chmod", "-R", "a+rX", i.dir))
	return output(t, u.command("banger-flatten", "-o", filepath.Join(u.home, name+".bundle"), i.String()))
}

// tar writes the archive of a bundle and returns its path.
func (u user) tar(t testing.TB, bundle string) string {
	t.Helper()
	return u.written(t, u.command("banger-tar", bundle))
}

// written writes the output of a command to a file and returns its path. The
// command must succeed without a message.
func (u user) written(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	f, err := os.Create(filepath.Join(u.place(t), "x.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = f, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("%v %s", err, stderr.String())
	}
	return f.Name()
}

// sameManifest flattens an image and compares its manifest.
func (u user) sameManifest(t *testing.T, i image, name, want string) {
	t.Helper()
	if got := read(t, filepath.Join(u.flattened(t, i, name), "rootfs.mtree")); got != want {
		t.Errorf("manifest differs: %d bytes, want %d", len(got), len(want))
	}
}

// erofs makes an EROFS image of an archive, checks it with fsck.erofs, and
// returns the path where it is mounted.
func erofs(t *testing.T, archive string) string {
	t.Helper()
	need(t, "mkfs.erofs", "fsck.erofs")
	if help, _ := exec.Command(which("mkfs.erofs"), "--help").CombinedOutput(); !bytes.Contains(help, []byte("--tar")) {
		t.Skip("mkfs.erofs is older than 1.7: it reads no archive")
	}
	file, root := filepath.Join(scratch(t), "x.erofs"), scratch(t)
	output(t, exec.Command(which("mkfs.erofs"), "--quiet", "--tar=f", file, archive))
	output(t, exec.Command(which("fsck.erofs"), file))
	if out, err := exec.Command(which("mount"), "-t", "erofs", "-o", "loop,ro", file, root).CombinedOutput(); err != nil {
		t.Skipf("the kernel cannot mount erofs: %s", out)
	}
	t.Cleanup(func() { output(t, exec.Command(which("umount"), root)) })
	return root
}

// without returns a tree without the ignored facts.
func without(ignored func(path, fact string) bool, tree map[string]facts) map[string]facts {
	rest := map[string]facts{}
	for path, all := range tree {
		rest[path] = maps.Clone(all)
		maps.DeleteFunc(rest[path], func(fact, _ string) bool { return ignored(path, fact) })
	}
	return rest
}

// TestTarSameBytes checks that the archive of a bundle does not depend on the
// user or the place.
func TestTarSameBytes(t *testing.T) {
	needRoot(t)
	need(t, "umoci")
	u := newUser(t, nobody)
	place := u.place(t)
	source := makeImage(t, filepath.Join(place, "layout"), "1", writeLayer(t, place, 1, tarEntries()))
	bundle := u.flattened(t, source, "x")
	want := hash(t, u.tar(t, bundle))
	plain := source.unpack(t)
	for path, x := range map[string][2]string{equals: {"user.a=b%", "v"}, "opt/x/nothing": {"user.nothing", ""}} { // omitted by umoci
		if err := unix.Setxattr(filepath.Join(plain, path), x[0], []byte(x[1]), 0); err != nil {
			t.Fatal(err)
		}
	}
	moved := memory(t) + "/moved"
	output(t, exec.Command("cp", "-a", bundle, moved))
	for _, c := range []struct {
		name string
		cmd  *exec.Cmd
	}{
		{"again", u.command("banger-tar", bundle)},
		{"root", newUser(t, 0).command("banger-tar", bundle)},
		{"elsewhere", elsewhere(u.command("banger-tar", bundle))},
		{"a plain directory", newUser(t, 0).command("banger-tar", plain)},
		{"another place", u.command("banger-tar", moved)},
		{"a line of stdin", u.command("sh", "-c", `echo "$1" | banger-tar`, "sh", bundle)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := hash(t, u.written(t, c.cmd)); got != want {
				t.Errorf("sha256 %s, want %s", got, want)
			}
		})
	}
}

// TestTarOutput checks that an archive that is not fully written is a failure.
func TestTarOutput(t *testing.T) {
	u := newUser(t, uint32(os.Getuid()))
	tree := filepath.Join(u.home, "tree")
	if err := os.Mkdir(tree, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "f"), smallNoise(1, 3<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, redirect := range map[string]func(t *testing.T, cmd *exec.Cmd) func(o outcome, made bool){
		"full": full, "gone": closedPipe,
	} {
		for _, flags := range [][]string{nil, {"-z"}} {
			t.Run(strings.Join(append(flags, name), " "), func(t *testing.T) {
				cmd := u.command("banger-tar", append(flags, tree)...)
				check := redirect(t, cmd)
				check(finish(t, cmd), false)
			})
		}
	}
	for _, command := range []string{"banger-tar tree", "banger-tar -z tree"} {
		t.Run(command+" on a terminal", func(t *testing.T) {
			need(t, "script")
			o := finish(t, u.command("script", "--quiet", "--return", "--command", command, "/dev/null"))
			if o.code != 64 || !strings.Contains(o.stdout, "hint: ") || len(o.stdout) > 200 {
				t.Errorf("exit status %d, %q", o.code, o.stdout)
			}
		})
	}
}
