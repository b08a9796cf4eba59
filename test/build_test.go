// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBuild makes images by scripts that run in machines of a small image, and
// checks what is published.
func TestBuild(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64", "busybox", "e2fsck", "dumpe2fs")
	u := newUser(t, known)
	u.addKernel(t, "k", kernel61)
	root := u.busyboxTree(t, "bb")
	if err := os.WriteFile(filepath.Join(root, "etc/hosts"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	u.publishTree(t, root, "bb")
	t.Run("refused", u.buildRefused)
	t.Run("script", u.buildsScript)
	t.Run("lineage", u.buildsOn)
	t.Run("grows", u.buildsLarger)
	t.Run("busy", u.buildsBusy)
	t.Run("fails", u.buildFails)
	t.Run("ends", u.buildEnds)
	t.Run("twice", u.buildsTwice)
	t.Run("no space", u.buildNoSpace)
	noLeftovers(t, u)
	t.Run("signals", u.buildSignals)
	noLeftovers(t, u)
}

// build runs a build of the image bb.
func (u user) build(t *testing.T, name, script string, flags ...string) outcome {
	t.Helper()
	return patiently(t, u.buildCommand(t, name, script, flags...))
}

func (u user) buildCommand(t *testing.T, name, script string, flags ...string) *exec.Cmd {
	t.Helper()
	file := filepath.Join(u.home, name+".sh")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"image", "build", "--from-image", "bb", "--name", name, "--script", file}, flags...)
	return u.command("banger", args...)
}

// notPublished checks that a build has failed, left no image, and named the log.
func (u user) notPublished(t *testing.T, o outcome, name string, code int, says, logged string) {
	t.Helper()
	log := filepath.Join(u.home, ".local/state/banger/builds", name+".log")
	if o.code != code || o.stdout != "" || !strings.Contains(o.stderr, says) || !strings.Contains(o.stderr, log) {
		t.Errorf("exit %d, want %d; %q\n%s\nwant %q", o.code, code, o.stdout, o.stderr, says)
	}
	if text := read(t, log); !strings.Contains(text, logged) {
		t.Errorf("the log has %q, not %q", text, logged)
	}
	if _, err := os.Stat(filepath.Join(u.home, ".local/state/banger/images", name)); err == nil {
		t.Errorf("%s was published", name)
	}
}

// machineOwn is a script that leaves what belongs to a machine, and files.
const machineOwn = `#!/bin/sh -eu
echo "$0 $* $(id -u) $(pwd) $(readlink /etc/hosts) $(cat /dev/stdin | wc -c)"
mkdir -p /etc/ssh /var/lib/systemd /kept/dir
echo secret | tee /etc/ssh/ssh_host_rsa_key >/var/lib/systemd/random-seed
echo 0123456789abcdef0123456789abcdef >/etc/machine-id
echo text >/kept/file; chown 12:34 /kept/file; chmod 2750 /kept/dir
for i in $(seq 150); do : >/kept/dir/$(printf %040d $i); done # more than a block: the kernel makes an htree
dd if=/dev/urandom of=/big bs=1M count=8 2>/dev/null; sync; rm /big
fallocate -l 64K /kept/reserved
echo "$1" >/kept/argument
sleep 1000 &
`

// buildsScript checks an image against its parent: nothing has changed but what the
// script has done. Another image is made of it.
func (u user) buildsScript(t *testing.T) {
	o := u.build(t, "dev", machineOwn, "--docker")
	images := filepath.Join(u.home, ".local/state/banger/images")
	if o.code != 0 || o.stdout != filepath.Join(images, "dev")+"\n" || !strings.HasSuffix(o.stderr, "/run/banger/script --docker 0 / /run/banger/hosts 0\n") {
		t.Fatalf("%+v", o)
	}
	parent, built := filepath.Join(images, "bb/rootfs.ext4"), filepath.Join(images, "dev/rootfs.ext4")
	fsck(t, built)
	got, want := readTree(t, mount(t, built)), readTree(t, mount(t, parent))
	for _, dir := range []string{".", "etc"} { // the script has made entries there
		delete(got[dir], "mtime")
		delete(want[dir], "mtime")
	}
	for path, owner := range map[string]string{
		"var": "0:0", "var/lib": "0:0", "var/lib/systemd": "0:0", "etc/ssh": "0:0",
		"kept": "0:0", "kept/dir": "0:0", "kept/file": "12:34", "kept/argument": "0:0", "kept/reserved": "0:0",
	} {
		if got[path]["owner"] != owner {
			t.Errorf("%s: %v", path, got[path])
		}
		delete(got, path)
	}
	for i := range 150 {
		path := fmt.Sprintf("kept/dir/%040d", i+1)
		if got[path] == nil {
			t.Errorf("%s: lost", path)
		}
		delete(got, path)
	}
	sameTree(t, got, want)
	if more := diskUsage(t, built) - diskUsage(t, parent); more > 1<<20 {
		t.Errorf("%d bytes more than the parent", more)
	}
	o = finish(t, u.command("banger", "verify", built))
	o.failed(t, []int{65}, "banger-verify", "made of bb by a script")
	output(t, u.command("banger", "image", "lint", "dev"))
	output(t, u.command("banger", "boot", "--keep", "disk", "--print", "firecracker", "bb"))
	o = finish(t, u.command("banger", "boot", "--keep", "disk", "--print", "firecracker", "dev"))
	o.failed(t, []int{65}, "banger-boot", "disk: not a disk of dev: its filesystem has the UUID ")
	if hints := hintsOf(o.stderr); !slices.Equal(hints, []string{"banger boot --keep disk bb"}) {
		t.Errorf("hints %q", hints)
	}
}

// diskUsage returns how many bytes of the host's disk a file takes.
func diskUsage(t *testing.T, file string) int64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(file, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks * 512
}

// buildsOn makes a larger image of the image of a script, with a script that changes
// nothing. The record has all that it was made of.
func (u user) buildsOn(t *testing.T) {
	file := filepath.Join(u.home, "true.sh")
	if err := os.WriteFile(file, []byte("true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := output(t, u.command("banger", "image", "build", "--from-image", "dev", "--name", "next", "--script", file, "--size", "1G"))
	fsck(t, filepath.Join(dir, "rootfs.ext4"))
	if blocks := dumpe2fs(t, filepath.Join(dir, "rootfs.ext4")).number(t, "Block count"); blocks != 1<<30/4096 {
		t.Errorf("the filesystem has %d blocks", blocks)
	}
	sameTree(t, readTree(t, mount(t, filepath.Join(dir, "rootfs.ext4"))), readTree(t, mount(t, filepath.Join(dir, "../dev/rootfs.ext4"))))
	type ancestor struct {
		Name, SHA256 string
		Parent       *ancestor
		Script       *struct{ SHA256 string }
	}
	var r ancestor
	fromJSON(t, output(t, u.command("banger", "image", "show", "next")), &r)
	if r.Script.SHA256 != hash(t, file) || r.Parent.Name != "dev" || r.Parent.SHA256 != hash(t, filepath.Join(dir, "../dev/rootfs.ext4")) ||
		r.Parent.Script.SHA256 != hash(t, filepath.Join(u.home, "dev.sh")) || r.Parent.Parent.Name != "bb" || r.Parent.Parent.Script != nil {
		t.Errorf("%+v of %+v", r, r.Parent)
	}
}

// buildsLarger makes an image of one whose groups are full, with a size that is refused
// and the one that the hint names instead, which Linux grows it to.
func (u user) buildsLarger(t *testing.T) {
	if o := u.build(t, "even", "true", "--size", "128M"); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	o := u.build(t, "larger", "true", "--from-image", "even", "--size", "129M")
	o.failed(t, []int{64}, "banger-image-build", "--size 135266304: too little for even to grow, which has 134217728 bytes")
	size, ok := strings.CutPrefix(hintsOf(o.stderr)[0], "the next that works is --size ")
	if o = u.build(t, "larger", "true", "--from-image", "even", "--size", size); o.code != 0 || !ok {
		t.Fatalf("%s: %+v", size, o)
	}
	file := filepath.Join(strings.TrimSpace(o.stdout), "rootfs.ext4")
	fsck(t, file)
	if blocks := dumpe2fs(t, file).number(t, "Block count"); fmt.Sprintf("%dM", blocks>>8) != size {
		t.Errorf("%d blocks, not %s", blocks, size)
	}
}

// buildsBusy leaves files of the disk in use by the kernel.
func (u user) buildsBusy(t *testing.T) {
	o := u.build(t, "busy", `set -e
		for f in "/a swap" /file /other; do dd if=/dev/zero of="$f" bs=1M count=2; done 2>/dev/null
		mkswap "/a swap"; swapon "/a swap"
		modprobe loop; losetup /dev/loop1 /file
		mkswap /dev/loop1; swapon /dev/loop1
		mke2fs -F /other >/dev/null; mkdir /mnt; mount -o loop -t ext2 /other /mnt`)
	if o.code != 0 {
		t.Fatalf("%+v", o)
	}
	fsck(t, filepath.Join(strings.TrimSpace(o.stdout), "rootfs.ext4"))
}

// buildRefused checks what is refused before a machine is booted.
func (u user) buildRefused(t *testing.T) {
	output(t, u.command("sh", "-ec", "cd .local/state/banger/images; mkdir bare; cp bb/image.json bare"))
	for name, c := range map[string]struct {
		script string
		flags  []string
		code   int
		says   string
	}{
		"bad name":    {"true", []string{"--name", "a/b"}, 64, `"a/b" cannot be a name`},
		"no parent":   {"true", []string{"--from-image", "none"}, 66, "none: no such image\nhint: banger image list\n"},
		"no kernel":   {"true", []string{"--from-image", "bare"}, 66, "bare: its kernel, vmlinux, is missing\nhint: banger kernel debian debian && banger register -f --name bare "},
		"exists":      {"true", []string{"--name", "bb"}, 73, "bb: exists\nhint: -f replaces it\n"},
		"smaller":     {"true", []string{"--size", "32M"}, 64, "smaller than bb"},
		"no script":   {"true", []string{"--script", "none"}, 66, "none: no such file"},
		"directory":   {"true", []string{"--script", "/etc"}, 65, "/etc: not a regular file"},
		"empty":       {"", nil, 65, "empty"},
		"large":       {strings.Repeat("#", 1<<20+1), nil, 65, "too large"},
		"carriage":    {"#!/bin/sh\r\ntrue\r\n", nil, 65, "the #! line ends in a carriage return\nhint: "},
		"interpreter": {"#!sh\n", nil, 65, "names no interpreter by its path"},
	} {
		if o := u.build(t, "refused", c.script, c.flags...); o.code != c.code || o.stdout != "" || !strings.Contains(o.stderr, c.says) {
			t.Errorf("%s: exit %d, want %d; %q\nwant %q", name, o.code, c.code, o.stderr, c.says)
		}
	}
	output(t, u.command("banger", "image", "rm", "bare"))
}

// buildFails checks that an exit status is passed on, and nothing published.
func (u user) buildFails(t *testing.T) {
	u.notPublished(t, u.build(t, "seven", "echo here; exit 7"), "seven", 7, "the script's exit status is 7", "here")
	o := u.build(t, "seven", "exit 7") // prints nothing: the log before is not its own
	if _, err := os.Stat(filepath.Join(u.home, ".local/state/banger/builds/seven.log")); o.code != 7 || strings.Contains(o.stderr, ".log") || err == nil {
		t.Errorf("%+v; the log of an earlier build: %v", o, err)
	}
	full := "dd if=/dev/zero of=/big bs=1M; dd if=/dev/urandom of=/big bs=1M"
	u.notPublished(t, u.build(t, "full", full), "full", 1, "the script's exit status is 1", "No space left on device")
	u.notPublished(t, u.build(t, "none", "#!/no/such\n"), "none", 127, "the script's exit status is 127", "/no/such")
}

// buildEnds runs scripts that end the machine, and all other processes.
func (u user) buildEnds(t *testing.T) {
	for name, c := range map[string]struct{ script, says string }{
		"off":    {"poweroff -f", "the machine stopped before the script ended"},
		"reboot": {"reboot -f", "the machine restarted before the script ended"},
		"sysrq":  {"echo b >/proc/sysrq-trigger", "the machine restarted before the script ended"},
	} {
		u.notPublished(t, u.build(t, name, "echo here; "+c.script+"; sleep 1000"), name, 1, c.says, "here")
	}
	if o := u.build(t, "killer", "kill -9 -1; echo done; exit 0"); o.code != 0 {
		t.Errorf("%+v", o)
	}
}

// buildsTwice makes two images of one name at the same time: one of them is refused.
func (u user) buildsTwice(t *testing.T) {
	var twins [2]*exec.Cmd
	for i := range twins {
		twins[i] = u.buildCommand(t, "twin", "true")
		twins[i].Stderr = new(strings.Builder)
		if err := twins[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	published := 0
	for _, cmd := range twins {
		cmd.Wait()
		switch code, stderr := cmd.ProcessState.ExitCode(), fmt.Sprint(cmd.Stderr); {
		case code == 0:
			published++
		case code != 73 || !strings.Contains(stderr, "twin: exists"):
			t.Errorf("exit %d: %s", code, stderr)
		}
	}
	if published != 1 {
		t.Errorf("%d were published", published)
	}
}

// buildNoSpace builds where there is no space for the copy, and where there is none for
// what the script writes: that is given back before the log is kept.
func (u user) buildNoSpace(t *testing.T) {
	needRoot(t)
	v := newUser(t, u.id)
	state, image := filepath.Join(v.home, ".local/state"), ".local/state/banger/images/bb"
	output(t, v.command("mkdir", "-p", state))
	place := func(source, target, kind string, flags uintptr, options string) {
		if err := unix.Mount(source, target, kind, flags, options); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
	}
	place("tmpfs", state, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, fmt.Sprintf("size=1m,mode=0700,uid=%d,gid=%[1]d", u.id))
	output(t, v.command("mkdir", "-p", image))
	place(filepath.Join(u.home, image), filepath.Join(v.home, image), "", unix.MS_BIND, "")

	o := v.build(t, "copy", "true")
	if o.code != 73 || o.stdout != "" || !strings.Contains(o.stderr, "/rootfs.ext4: no space left on device\n") {
		t.Errorf("%+v", o)
	}
	remount(t, state, "size=16m")
	fill := "yes here | head -n 100000; dd if=/dev/urandom of=/big bs=1M count=30; sync; echo written"
	v.notPublished(t, v.build(t, "fill", fill), "fill", 73, "/images: no space left; ", "here")
	if left := list(t, filepath.Join(v.home, filepath.Dir(image))); !slices.Equal(left, []string{"bb"}) {
		t.Errorf("left %q", left)
	}
}

// buildSignals interrupts a build, and kills another.
func (u user) buildSignals(t *testing.T) {
	file := filepath.Join(u.home, "sleep.sh")
	if err := os.WriteFile(file, []byte("echo begun; sleep 1000"), 0o644); err != nil {
		t.Fatal(err)
	}
	for signal, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGKILL: 137} {
		cmd := u.command("banger-image-build", "--from-image", "bb", "--name", "asked", "--script", file)
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, shown := bufio.NewScanner(stderr), ""
		for lines.Scan() && lines.Text() != "begun" {
		}
		cmd.Process.Signal(signal)
		for lines.Scan() {
			shown += lines.Text() + "\n"
		}
		cmd.Wait()
		log := filepath.Join(u.home, ".local/state/banger/builds/asked.log")
		if got := exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus)); got != code || signal == syscall.SIGINT && !strings.Contains(shown, "asked: interrupted, nothing published; the console's log is "+log) {
			t.Errorf("%v: exit %d, want %d; %s", signal, got, code, shown)
		}
	}
	// QEMU has died with its build, and the next build removes what that has left.
	if o := u.build(t, "after", "exit 3"); o.code != 3 {
		t.Errorf("%+v", o)
	}
	if out, err := exec.Command("pgrep", "-f", "qemu.*"+u.home).Output(); err == nil {
		t.Errorf("QEMU still runs: %s", out)
	}
}
