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

// TestVerifyHostile checks that any bad file in place of an image or its
// documents is an error that names it, and that the next image is verified.
func TestVerifyHostile(t *testing.T) {
	u := newUser(t, nobody)
	good, _ := u.verifiable(t)
	const manifest = "sha256:0123456789012345678901234567890123456789012345678901234567890123"
	for i, c := range []struct {
		name, script string
		code         int
		word         string
	}{
		{"a fifo", "rm rootfs.ext4; mkfifo rootfs.ext4", 65, "rootfs.ext4"},
		{"a directory", "rm rootfs.ext4; mkdir rootfs.ext4", 66, "rootfs.ext4"},
		{"nothing", "rm rootfs.ext4", 66, "rootfs.ext4"},
		{"a link to nothing", "ln -sf none rootfs.ext4", 66, "rootfs.ext4"},
		{"a link to itself", "rm rootfs.ext4; ln -s rootfs.ext4 rootfs.ext4", 1, "rootfs.ext4"},
		{"a device", "ln -sf /dev/zero rootfs.ext4", 65, "rootfs.ext4"},
		{"no content", ": >rootfs.ext4", 65, "rootfs.ext4"},
		{"a superblock", "truncate -s 2K rootfs.ext4", 65, "rootfs.ext4"},
		{"half", "truncate -s 8M rootfs.ext4", 65, "truncated: "},
		{"zeros", "rm rootfs.ext4; truncate -s 16M rootfs.ext4", 65, "not an ext4 filesystem"},
		{"nobody's", "chmod 0 rootfs.ext4", 77, "permission denied"},
		{"a digest that is a path", `sed -i 's|"digest": "[^"]*"|"digest": "sha256:../../../../etc/passwd"|' image.json; sed -i 's|"image": "[^"]*"|"image": "sha256:../../../../etc/passwd"|' rootfs.ext4.json`,
			65, "digest"},
		{"a digest that is too short", `sed -i 's|"digest": "[^"]*"|"digest": "sha256:00"|' image.json; sed -i 's|"image": "[^"]*"|"image": "sha256:00"|' rootfs.ext4.json`, 65, "digest"},
		{"a digest of no algorithm", `sed -i 's|"digest": "[^"]*"|"digest": "x"|' image.json; sed -i 's|"image": "[^"]*"|"image": "x"|' rootfs.ext4.json`, 65, "digest"},
		{"another image's digest", `sed -i 's|"digest": "[^"]*"|"digest": "` + manifest + `"|' image.json`, 65, "image.json is of another image"},
		{"an image nobody has", `sed -i 's|"digest": "[^"]*"|"digest": "` + manifest + `"|' image.json; sed -i 's|"image": "[^"]*"|"image": "` + manifest + `"|' rootfs.ext4.json`,
			66, "the layers of " + manifest + " are not in the cache"},
		{"no FILE.json", "rm rootfs.ext4.json", 0, ""},
		{"garbage in FILE.json", "echo garbage >rootfs.ext4.json", 65, "rootfs.ext4.json"},
		{"a list in FILE.json", "echo '[]' >rootfs.ext4.json", 65, "rootfs.ext4.json"},
		{"garbage in image.json", "echo garbage >image.json", 65, "image.json"},
		{"an image.json of tomorrow", `sed -i 's|"version": 1|"version": 2|' image.json`, 65, "version 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := u.copied(t, good, fmt.Sprint("hostile-", i))
			cmd := u.command("sh", "-euc", c.script)
			cmd.Dir = filepath.Dir(image)
			output(t, cmd)
			o := finish(t, u.command("banger-verify", image, good))
			bad := outcome{stdout: strings.TrimSuffix(o.stdout, good+"\n"), stderr: o.stderr, code: o.code}
			switch {
			case bad.stdout == o.stdout:
				t.Errorf("the next image did not pass: %+v", o)
			case c.code == 0:
				if o != (outcome{stdout: image + "\n" + good + "\n"}) {
					t.Errorf("%+v", o)
				}
			default:
				bad.failed(t, []int{c.code}, "banger-verify: ", c.word)
			}
		})
	}
}

// TestVerifyDamagedCache checks that a damaged layer or config is named.
func TestVerifyDamagedCache(t *testing.T) {
	u := newUser(t, nobody)
	rootfs, _ := u.verifiable(t)
	layer, config, _ := digests(t, smallImage(t))
	for name, victim := range map[string]string{"layer": layer, "config": config} {
		for how, harm := range map[string]func(b []byte) []byte{
			"changed": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
			"cut":     func(b []byte) []byte { return b[:len(b)/2] },
			"longer":  func(b []byte) []byte { return append(b, 0) },
			"empty":   func([]byte) []byte { return nil },
		} {
			t.Run(name+"/"+how, func(t *testing.T) {
				path := blobPath(u.cache(), victim)
				whole := read(t, path)
				damage(t, path, harm)
				finish(t, u.command("banger-verify", rootfs)).failed(t, []int{65}, "banger-verify: ", rootfs, strings.TrimPrefix(victim, "sha256:")[:12])
				damage(t, path, func([]byte) []byte { return []byte(whole) })
			})
		}
	}
	u.agrees(t, rootfs)
}

// TestVerifyStdout checks that a failure to print is a failure.
func TestVerifyStdout(t *testing.T) {
	u := newUser(t, nobody)
	rootfs, _ := u.verifiable(t)
	bad := edited(t, u.copied(t, rootfs, "bad"), "sif bin/su mode 0100755")
	for _, args := range [][]string{{rootfs}, {"--json", bad}} {
		cmd := u.command("banger-verify", args...)
		check := closedPipe(t, cmd)
		check(finish(t, cmd), false)
		cmd = u.command("banger-verify", args...)
		check = full(t, cmd)
		check(finish(t, cmd), false)
	}
}

// TestVerifySignal checks that a signal ends a run without a message.
func TestVerifySignal(t *testing.T) {
	u := newUser(t, nobody)
	args := u.large(t, 200)
	rootfs := args[len(args)-1]
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := u.command("banger-verify", args...)
		end := begin(t, cmd)
		await(t, "the image to be open", func() bool { return isOpen(cmd.Process.Pid, rootfs) })
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if o := end(); o != (outcome{code: 128 + int(signal)}) {
			t.Errorf("%v: %+v", signal, o)
		}
	}
}

// isOpen reports whether a process has a file open.
func isOpen(pid int, file string) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, _ := os.ReadDir(dir)
	for _, fd := range fds {
		if path, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && path == file {
			return true
		}
	}
	return false
}
