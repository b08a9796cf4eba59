// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestVerify checks that an image passes through the whole pipeline, for root
// and others and with either filler, and that the published image still
// matches its layers.
func TestVerify(t *testing.T) {
	need(t, "mkfs.ext4", "e2fsck")
	ref := newFaultRegistry(t).push(t, "small:1", smallImage(t))
	for _, id := range []uint32{0, nobody} {
		for _, populate := range []string{"mkfs", "direct"} {
			t.Run(fmt.Sprintf("%d/%s", id, populate), func(t *testing.T) {
				u := newUser(t, id)
				const pipeline = `banger-fetch "$1" | banger-flatten -o x.bundle | banger-mkext4 --populate="$2" |
					banger-verify | banger-register --name x`
				dir := output(t, u.command("sh", "-c", pipeline, "sh", ref, populate))
				rootfs := filepath.Join(dir, "rootfs.ext4")
				fsck(t, rootfs)
				u.agrees(t, dir)
				u.agrees(t, rootfs)
				u.agrees(t, "x.bundle")
			})
		}
	}
}

// agrees fails the test unless banger-verify passes on the image, the last
// argument, and prints nothing else.
func (u user) agrees(t testing.TB, args ...string) {
	t.Helper()
	o := finish(t, u.command("banger-verify", args...))
	if want := (outcome{stdout: args[len(args)-1] + "\n"}); o != want {
		t.Errorf("%q: exit status %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
}

// differing returns banger-verify's messages for these differences.
func differing(image string, differences ...string) string {
	count := fmt.Sprintf("%d differences", len(differences))
	if len(differences) == 1 {
		count = "1 difference"
	}
	lines := append(differences, count)
	for i, line := range lines {
		lines[i] = "banger-verify: " + image + ": " + line + "\n"
	}
	return strings.Join(lines, "")
}

// verifiable makes an image in a bundle and returns its path and reference.
func (u user) verifiable(t testing.TB) (rootfs, ref string) {
	t.Helper()
	need(t, "mkfs.ext4", "e2fsck", "debugfs")
	ref = newFaultRegistry(t).push(t, "small:1", smallImage(t))
	const pipeline = `banger-fetch "$1" | banger-flatten -o small.bundle | banger-mkext4 --size=16M`
	return filepath.Join(u.home, output(t, u.command("sh", "-c", pipeline, "sh", ref))), ref
}

// copied copies an image and its documents to a new directory.
func (u user) copied(t testing.TB, rootfs, name string) string {
	t.Helper()
	dir := filepath.Join(u.home, name)
	output(t, u.command("mkdir", dir))
	for _, file := range []string{"rootfs.ext4", "rootfs.ext4.json", "image.json", "config.json"} {
		output(t, u.command("cp", filepath.Join(filepath.Dir(rootfs), file), dir))
	}
	return filepath.Join(dir, "rootfs.ext4")
}

// edited changes an image with debugfs and returns its path.
func edited(t testing.TB, rootfs string, commands ...string) string {
	t.Helper()
	for _, command := range commands {
		output(t, exec.Command(which("debugfs"), "-w", "-R", command, rootfs))
	}
	return rootfs
}

// TestVerifyDifferences checks that every difference is printed, as a line or
// in JSON, and that other images pass in order.
func TestVerifyDifferences(t *testing.T) {
	u := newUser(t, nobody)
	good, _ := u.verifiable(t)
	bad := edited(t, u.copied(t, good, "bad"), "sif bin/su mode 0100755", "sif etc/gshadow uid 7")
	one := edited(t, u.copied(t, good, "one"), "sif etc/away gid 7")
	su, owner, group := "./bin/su: mode: expected 4755, found 0755", "./etc/gshadow: uid: expected 0, found 7", "./etc/away: gid: expected 0, found 7"
	for _, c := range []struct {
		args []string
		want outcome
	}{
		{[]string{one}, outcome{"\n", differing(one, group), 65}},
		{[]string{good, bad, filepath.Dir(good), one}, outcome{good + "\n\n" + filepath.Dir(good) + "\n\n",
			differing(bad, su, owner) + differing(one, group), 65}},
		{[]string{bad, filepath.Join(u.home, "none")}, outcome{"\n\n",
			differing(bad, su, owner) + "banger-verify: " + u.home + "/none: stat " + u.home + "/none: no such file or directory\n", 1}},
	} {
		if o := finish(t, u.command("banger-verify", c.args...)); o != c.want {
			t.Errorf("%q:\n%+v, want\n%+v", c.args, o, c.want)
		}
	}
	o := finish(t, u.command("banger-verify", "--json", good, bad))
	var got []map[string]string
	for decoder := json.NewDecoder(strings.NewReader(o.stdout)); decoder.More(); {
		var one map[string]string
		if err := decoder.Decode(&one); err != nil {
			t.Fatalf("%v\n%s", err, o.stdout)
		}
		got = append(got, one)
	}
	want := []map[string]string{
		{"image": bad, "path": "./bin/su", "what": "mode", "want": "4755", "have": "0755"},
		{"image": bad, "path": "./etc/gshadow", "what": "uid", "want": "0", "have": "7"},
	}
	if !reflect.DeepEqual(got, want) || o.code != 65 || o.stderr != differing(bad, "", "")[2*len("banger-verify: "+bad+": \n"):] {
		t.Errorf("%+v", o)
	}
}

// TestVerifyMounted checks that an image that was mounted for writing is
// reported with its changes, in a few lines, and that one that was mounted
// read-only passes.
func TestVerifyMounted(t *testing.T) {
	needRoot(t)
	u := newUser(t, 0)
	rootfs, _ := u.verifiable(t)
	t.Run("read", func(t *testing.T) { readTree(t, mount(t, rootfs)) })
	u.agrees(t, rootfs)
	root, unmount := mountWritable(t, rootfs)
	for i := range 200 {
		if err := os.WriteFile(filepath.Join(root, "usr/share", fmt.Sprintf("new-%d", i%2)), []byte("new"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	unmount()
	fsck(t, rootfs)
	o := finish(t, u.command("banger-verify", rootfs))
	lines := strings.SplitAfter(o.stderr, "\n")
	if o.code != 65 || o.stdout != "\n" || len(lines) != 6 || !strings.Contains(lines[0], "not as banger-mkext4 made it: mounted, or made by another program") ||
		!strings.Contains(lines[1], "./usr/share: time: ") {
		t.Fatalf("%+v", o)
	}
	if want := differing(rootfs, "", "", "./usr/share/new-0: only in the image", "./usr/share/new-1: only in the image"); !strings.HasSuffix(want, strings.Join(lines[2:], "")) {
		t.Errorf("%s\nwant\n%s", o.stderr, want)
	}
}

// TestVerifyPull checks that --verify publishes only an image that matches.
func TestVerifyPull(t *testing.T) {
	need(t, "mkfs.ext4", "flock")
	u := newUser(t, nobody)
	ref := newFaultRegistry(t).push(t, "acme/debian:bookworm", smallImage(t))
	dir := output(t, u.command("banger", "image", "pull", "--verify", ref))
	checkPublished(t, u, dir, ref)

	// The script runs the tools in its own directory.
	prefix := scratch(t)
	output(t, exec.Command("cp", "-a", filepath.Dir(bin)+"/.", prefix))
	wrong := fmt.Sprintf("#!/bin/sh\nimage=$(%s/banger-mkext4 \"$@\") || exit\n"+
		"[ -e \"$image\" ] || exit 0\n"+ // the script checks --size by --help
		"at=$(grep -abo 'root:[*]::' \"$image\" | cut -d: -f1) || exit\n"+
		"printf R | dd of=\"$image\" bs=1 seek=\"$at\" conv=notrunc status=none && echo \"$image\"\n", bin)
	mkext4 := filepath.Join(prefix, "bin/banger-mkext4")
	if err := os.Remove(mkext4); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mkext4, []byte(wrong), 0o755); err != nil {
		t.Fatal(err)
	}
	pull := func(args ...string) outcome {
		args = append(append([]string{"image", "pull", "--size=16M", "--name=wrong"}, args...), ref)
		return finish(t, u.command(filepath.Join(prefix, "bin/banger"), args...))
	}
	o := pull("--verify")
	if o.code != 65 || o.stdout != "" || !strings.Contains(o.stderr, "./etc/gshadow: content differs\n") {
		t.Errorf("%+v", o)
	}
	if names := output(t, u.command("banger", "image", "list")); strings.Contains(names, "wrong") {
		t.Errorf("published:\n%s", names)
	}
	noLeftovers(t, u)
	if o := pull(); o.code != 0 {
		t.Errorf("without --verify: %+v", o)
	}
}
