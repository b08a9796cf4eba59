// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Of a disk that a machine has used, what belongs to the machine is removed. What the
// disk had stays as it was, and so does what the script has made.
func TestRestore(t *testing.T) {
	for name, c := range map[string]struct {
		had    map[string]string // content by path, "-> " and the target of a symlink, "dir"
		script string            // runs in the root of the disk
		want   map[string]string // what the script leaves, "" for what is gone
	}{
		"nothing":     {nil, "", nil},
		"used":        {nil, "echo a >etc/conf; echo b >srv/wd/b; mkdir lib/modules/x", map[string]string{"etc": "dir", "etc/conf": "a\n", "srv": "dir", "srv/wd": "dir", "srv/wd/b": "b\n", "lib": "dir", "lib/modules": "dir", "lib/modules/x": "dir"}},
		"its mode":    {nil, "chmod 700 srv/wd", map[string]string{"srv": "dir", "srv/wd": "dir"}},
		"its owner":   {nil, "chown 12:34 srv/wd", map[string]string{"srv": "dir", "srv/wd": "dir"}},
		"replaced":    {nil, "rmdir srv/wd; echo a >srv/wd", map[string]string{"srv": "dir", "srv/wd": "a\n"}},
		"had it all":  {map[string]string{"dev": "dir", "proc": "dir", "sys": "dir", "run/x": "", "srv/wd": "dir", "etc/hosts": "h", "etc/resolv.conf": "r", "lib/modules/6/a.ko": "a"}, "", nil},
		"empty names": {map[string]string{"etc/hosts": "", "etc/resolv.conf": ""}, "", nil},
		"own names":   {map[string]string{"etc/hosts": ""}, "rm etc/hosts etc/resolv.conf; echo h >etc/hosts; echo r >etc/resolv.conf", map[string]string{"etc/hosts": "h\n", "etc/resolv.conf": "r\n"}},
		"no names":    {map[string]string{"etc/hosts": ""}, "rm etc/hosts", map[string]string{"etc/hosts": ""}},
		"links":       {map[string]string{"etc/resolv.conf": "-> ../run/systemd/resolve/stub", "etc/hosts": "-> hosts.real", "etc/hosts.real": "h"}, "", nil},
		"usr-merged":  {map[string]string{"lib": "-> usr/lib", "usr/lib/x": "", "run": "-> var/run", "var/run/x": ""}, "", nil},
		"etc moved":   {map[string]string{"etc": "-> /conf/etc", "conf/etc/hosts": "", "conf/etc/machine-id": ""}, "echo 0123 >conf/etc/machine-id", nil},
		"etc goes":    {map[string]string{"etc/hosts": ""}, "mv etc/hosts x; rm -r etc; ln -s none/../x etc", map[string]string{"etc": "-> none/../x", "etc/hosts": "", "x": "-> /run/banger/hosts"}},
		"etc is put":  {map[string]string{"etc/hosts": "", "usr/x": ""}, "mv etc usr/etc; ln -s usr/etc etc", map[string]string{"etc": "-> usr/etc", "etc/hosts": "", "usr/etc": "dir", "usr/etc/hosts": "EMPTY"}},
		"ids":         {nil, "mkdir -p var/lib/dbus; echo 0123 | tee etc/machine-id >var/lib/dbus/machine-id", map[string]string{"var": "dir", "var/lib": "dir", "var/lib/dbus": "dir"}},
		"ids of none": {map[string]string{"etc/machine-id": "", "var/lib/dbus/machine-id": uninitialized + "\n"}, "echo 0123 | tee etc/machine-id >var/lib/dbus/machine-id", nil},
		"id unended":  {map[string]string{"etc/machine-id": uninitialized}, "echo 0123 >etc/machine-id", nil},
		"id renamed":  {map[string]string{"etc/machine-id": ""}, "echo 0123 >etc/new; mv etc/new etc/machine-id", map[string]string{"etc": "dir"}},
		"id of its":   {map[string]string{"etc/machine-id": "4567\n"}, "echo 0123 >etc/machine-id", map[string]string{"etc/machine-id": "0123\n"}},
		"id removed":  {map[string]string{"etc/machine-id": ""}, "rm etc/machine-id", map[string]string{"etc/machine-id": ""}},
		"id linked":   {map[string]string{"etc/machine-id": "", "var/lib/dbus/x": ""}, "ln -s /etc/machine-id var/lib/dbus", map[string]string{"var/lib/dbus/machine-id": "-> /etc/machine-id"}},
		"id odd":      {map[string]string{"etc/x": ""}, "mkfifo etc/machine-id", map[string]string{"etc/machine-id": "pipe"}},
		"secrets":     {map[string]string{"etc/ssh/sshd_config": "x", "var/lib/systemd/x": ""}, "for f in etc/ssh/ssh_host_rsa_key etc/ssh/ssh_host_rsa_key.pub etc/ssh/ssh_known_hosts var/lib/systemd/random-seed; do echo s >$f; done", map[string]string{"etc/ssh/ssh_known_hosts": "s\n", "var/lib/systemd": "dir"}},
		"secrets had": {map[string]string{"etc/ssh/ssh_host_rsa_key": "x", "var/lib/systemd/random-seed": "x"}, "echo s | tee etc/ssh/ssh_host_rsa_key var/lib/systemd/random-seed >etc/ssh/ssh_host_ed25519_key", map[string]string{"etc/ssh/ssh_host_rsa_key": "s\n", "var/lib/systemd/random-seed": "s\n"}},
		"dropbear":    {map[string]string{"etc/dropbear/dropbear_rsa_host_key": "x"}, "echo s | tee etc/dropbear/dropbear_rsa_host_key etc/dropbear/dropbear_ed25519_host_key >etc/dropbear/authorized_keys", map[string]string{"etc/dropbear": "dir", "etc/dropbear/dropbear_rsa_host_key": "s\n", "etc/dropbear/authorized_keys": "s\n"}},
		"seeds":       {map[string]string{"var/lib/urandom/x": "", "var/lib/misc/x": "", "var/lib/seedrng/x": ""}, "echo s | tee var/lib/urandom/random-seed var/lib/misc/random-seed var/lib/seedrng/seed.credit var/lib/seedrng/seed.no-credit >var/lib/misc/other", map[string]string{"var/lib/urandom": "dir", "var/lib/misc": "dir", "var/lib/misc/other": "s\n", "var/lib/seedrng": "dir"}},
		"secrets dir": {map[string]string{"etc/ssh/x": ""}, "mkdir etc/ssh/ssh_host_keys", map[string]string{"etc/ssh/ssh_host_keys": "dir"}},
		"escapes":     {map[string]string{"etc/ssh/x": "x"}, "mv etc/ssh old; ln -s ../../outside etc/ssh; mkdir -p var/lib; ln -s $PWD/../outside var/lib/systemd", map[string]string{"etc/ssh": "-> ../../outside", "etc/ssh/x": "", "old": "dir", "old/x": "x", "var": "dir", "var/lib": "dir", "var/lib/systemd": "-> $PWD/../outside"}},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(c.script, "chown") && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			dir := t.TempDir()
			root, outside := filepath.Join(dir, "disk"), map[string]string{"ssh_host_rsa_key": "x", "random-seed": "x"}
			plant(t, filepath.Join(dir, "outside"), outside)
			plant(t, root, c.had)
			before := snapshot(t, root)
			o := used(t, dirRoot(root))
			cmd := exec.Command("sh", "-ec", c.script)
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if err := o.restore(dirRoot(root)); err != nil {
				t.Error(err)
			}
			sameDisk(t, snapshot(t, root), before, c.want, root)
			if got := snapshot(t, filepath.Join(dir, "outside")); len(got) != len(outside)+1 {
				t.Errorf("outside: %v", got)
			}
		})
	}
}

// plant makes files, with times that are long ago.
func plant(t *testing.T, root string, files map[string]string) {
	t.Helper()
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		err := error(nil)
		if file := filepath.Join(root, name); content == "dir" {
			err = os.MkdirAll(file, 0o755)
		} else {
			err = place(file, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	n := int64(0)
	filepath.WalkDir(root, func(file string, _ fs.DirEntry, err error) error {
		n++
		at := []unix.Timespec{{Sec: 1e9 + n, Nsec: 7}, {Sec: 1e9 + n, Nsec: 9}}
		return unix.UtimesNanoAt(unix.AT_FDCWD, file, at, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// used does to a disk what a machine does to it until the script begins.
func used(t *testing.T, disk dirRoot) *original {
	t.Helper()
	must := func(resolved string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return resolved
	}
	o := newOriginal(disk, "/srv/wd", "/lib/modules/6")
	for _, dir := range mountPoints {
		os.Mkdir(disk.host(must(disk.follow(dir))), 0o755)
	}
	o.hide(disk)
	run := disk.host(must(disk.follow("/run")))
	above, err := os.Stat(filepath.Dir(run))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(os.Rename(run, run+".disk"), os.Mkdir(run, 0o755)) // in a machine, it is in memory
	if err == nil {
		err = provideHosts(disk, "box")
	}
	if err == nil {
		err = provideServers(disk, []netip.Addr{netip.MustParseAddr("10.0.2.3")}, nil)
	}
	for _, dir := range []string{"/srv/wd", "/lib/modules/6"} {
		err = errors.Join(err, os.MkdirAll(disk.host(must(disk.follow(dir))), 0o755))
	}
	err = errors.Join(err, os.RemoveAll(run), os.Rename(run+".disk", run), os.Chtimes(filepath.Dir(run), time.Time{}, above.ModTime()))
	if err != nil {
		t.Fatal(err)
	}
	o.settle(disk)
	awaitTick(t, filepath.Dir(string(disk)))
	return o
}

// awaitTick waits until the clock of a filesystem has moved on: changes within one
// tick have the same time.
func awaitTick(t *testing.T, dir string) {
	t.Helper()
	first := int64(0)
	for {
		f, err := os.CreateTemp(dir, "tick")
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		os.Remove(f.Name())
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		switch now := info.ModTime().UnixNano(); {
		case first == 0:
			first = now
		case now != first:
			return
		}
	}
}

// A fact is what a test knows of a file.
type fact struct{ what, rest string }

// snapshot returns what is below a directory.
func snapshot(t *testing.T, root string) map[string]fact {
	t.Helper()
	all := map[string]fact{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, file)
		what := ""
		switch info.Mode().Type() {
		case 0:
			content, err := os.ReadFile(file)
			if what = string(content); err != nil {
				return err
			}
		case fs.ModeDir:
			what = "dir"
		case fs.ModeSymlink:
			target, err := os.Readlink(file)
			if what = "-> " + target; err != nil {
				return err
			}
		case fs.ModeNamedPipe:
			what = "pipe"
		}
		all[name] = fact{what, fmt.Sprint(info.Mode(), info.ModTime().UnixNano())}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sameDisk checks that a disk has what it had, and what the script has left.
func sameDisk(t *testing.T, got, before map[string]fact, left map[string]string, root string) {
	t.Helper()
	want := maps.Clone(before)
	changed := map[string]bool{}
	for name, what := range left {
		if what == "" {
			delete(want, name)
		} else {
			want[name] = fact{what: strings.NewReplacer("$PWD", root, "EMPTY", "").Replace(what)}
		}
		changed[name], changed[path.Dir(name)] = true, true
	}
	for name := range changed { // the time is that of the script
		for _, m := range []map[string]fact{got, want} {
			if f, ok := m[name]; ok {
				m[name] = fact{what: f.what}
			}
		}
	}
	for name, f := range want {
		if now, ok := got[name]; now != f || !ok {
			t.Errorf("%s: %+v, %v, want %+v", name, now, ok, f)
		}
	}
	for name, f := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %+v is left", name, f)
		}
	}
}
