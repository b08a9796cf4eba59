// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestBootDisk checks what banger boot does without a machine: the disk, the
// Firecracker configuration, and the arguments that it refuses.
func TestBootDisk(t *testing.T) {
	t.Parallel()
	need(t, "e2fsck")
	u := newUser(t, nobody)
	u.bootable(t, "app")
	disk := filepath.Join(u.home, "a disk.ext4")
	image := filepath.Join(u.home, ".local/state/banger/images/app")
	before := hash(t, filepath.Join(image, "rootfs.ext4"))

	printed := output(t, u.command("banger", "boot", "--keep", "a disk.ext4", "--cpus", "2", "--memory", "1G", "--print", "firecracker", "app"))
	firecracker(t, printed, image, disk, filepath.Join(image, "initrd.img"))
	output(t, exec.Command(which("e2fsck"), "-fn", disk))
	if hash(t, disk) != before {
		t.Error("the disk differs from the published image")
	}
	printed = output(t, u.command("banger", "boot", "--keep=a disk.ext4", "--size=64M", "--cpus", "2", "--memory", "1024", "--print=firecracker", "app", "--", "/app", "x"))
	firecracker(t, printed, image, disk, disk+".initrd")
	output(t, exec.Command(which("e2fsck"), "-fn", disk))
	if info, err := os.Stat(disk); err != nil || info.Size() != 64<<20 {
		t.Errorf("not grown to 64M: %v, %v", info, err)
	}
	if hash(t, filepath.Join(image, "rootfs.ext4")) != before {
		t.Error("the published image changed")
	}
	u.refuses(t, image)
	noLeftovers(t, u)
}

// bootable publishes an image of one static program with Debian's kernel.
func (u user) bootable(t testing.TB, name string) {
	t.Helper()
	u.addKernel(t, "k", kernel61)
	root := filepath.Join(u.home, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "app"), []byte(staticProgram(t)), 0o755); err != nil {
		t.Fatal(err)
	}
	output(t, u.command("sh", "-c", `banger-mkext4 --size 32M root && banger-register --name "$1" --kernel-ref k root.ext4`, "sh", name))
}

// firecracker checks a Firecracker configuration and the files that it names.
func firecracker(t *testing.T, printed, image, disk, initrd string) {
	t.Helper()
	var config struct {
		BootSource struct {
			Kernel string `json:"kernel_image_path"`
			Initrd string `json:"initrd_path"`
			Args   string `json:"boot_args"`
		} `json:"boot-source"`
		Drives []struct {
			Path string `json:"path_on_host"`
			Root bool   `json:"is_root_device"`
			Read bool   `json:"is_read_only"`
		}
		Machine struct {
			CPUs   int `json:"vcpu_count"`
			Memory int `json:"mem_size_mib"`
		} `json:"machine-config"`
	}
	if err := json.Unmarshal([]byte(printed), &config); err != nil {
		t.Fatalf("%v:\n%s", err, printed)
	}
	b := config.BootSource
	if b.Kernel != filepath.Join(image, "vmlinux") || b.Initrd != initrd || !strings.Contains(b.Args, "console=ttyS0 reboot=k") {
		t.Errorf("%+v", b)
	}
	d := config.Drives
	if len(d) != 2 || d[0].Path != disk || !d[0].Root || d[0].Read || d[1].Path != filepath.Join(image, "modules.ext4") || d[1].Root || !d[1].Read {
		t.Errorf("%+v", d)
	}
	if config.Machine.CPUs != 2 || config.Machine.Memory != 1024 {
		t.Errorf("%+v", config.Machine)
	}
	for _, path := range []string{b.Kernel, b.Initrd, disk} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// refuses checks the exit status of bad arguments, and that nothing is created.
func (u user) refuses(t *testing.T, image string) {
	t.Helper()
	output(t, u.command("banger-register", "--name", "bare", "root.ext4"))
	output(t, u.command("cp", "-r", ".local/state/banger/kernels/k", ".local/state/banger/kernels/k2")) // which is it to be?
	for line, code := range map[string]int{
		"":                                   64,
		"app app":                            64,
		"--nonsense app":                     64,
		"--memory lots app":                  64,
		"--memory 0 app":                     64,
		"--cpus none app":                    64,
		"--cpus 0 app":                       64,
		"--cpus 1000 app":                    64,
		"--keep x --size 99999999T app":      64,
		"--memory 99999999999999999999G app": 64,
		"--keep x --print firecracker --memory 9999999999G app": 64,
		"--keep . app":                         73,
		"--keep root/ app":                     73,
		"--size 1G app":                        64,
		"--keep x --size huge app":             64,
		"--print qemu app":                     64,
		"--print firecracker app":              64,
		"--keep a,b app":                       64,
		"app --":                               64,
		"none":                                 66,
		"--keep nowhere/x app":                 66,
		"bare":                                 65,
		"--kernel-ref none app":                66,
		"--env A app":                          64,
		"--publish 80 app":                     64,
		"--name a/b app":                       64,
		"-i app":                               64,
		"-i -d app -- /app":                    64,
		"--keep " + image + "/rootfs.ext4 app": 73,
	} {
		o := finish(t, u.command("banger", append([]string{"boot"}, strings.Fields(line)...)...))
		if o.code != code || o.stdout != "" || !strings.HasPrefix(o.stderr, "banger-") {
			t.Errorf("boot %s: exit %d, want %d; %s%s", line, o.code, code, o.stdout, o.stderr)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(u.home, "x*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// TestBootRaces lets another process create or replace, while banger boot runs,
// a path that it is about to create, or the image. Existing files are kept.
func TestBootRaces(t *testing.T) {
	t.Parallel()
	u := newUser(t, nobody)
	u.bootable(t, "app")
	disk := filepath.Join(u.home, "disk")
	boot := []string{"--keep", "disk", "--size", "64M", "--print", "firecracker", "app"}
	for _, c := range []struct {
		meanwhile string // runs once the copy is made, before it gets its size and its name
		code      int
		words     string
	}{
		{"echo precious >$HOME/disk", 65, "disk: no ext4 filesystem"},
		{"cp --sparse=always $HOME/root.ext4 $HOME/disk", 0, ""},
		{"exec 5>$HOME/disk; echo precious >&5; flock 5; sleep 60 >&- 2>&- & echo $! >$HOME/sleeper", 75, "disk: in use by another machine"},
		{"mkdir $HOME/disk; echo precious >$HOME/disk/disk", 73, ""},
		{"banger-register -f --name app --kernel-ref k root.ext4 >&2", 75, "app: replaced during the boot"},
		{"banger-image rm app", 75, "app: replaced during the boot"},
	} {
		os.RemoveAll(disk)
		o := u.interrupted(t, u.command("banger-boot", boot...), c.meanwhile)
		output(t, u.command("sh", "-c", "[ ! -e sleeper ] || { kill $(cat sleeper); rm sleeper; }"))
		if o.code != c.code || !strings.Contains(o.stderr, c.words) {
			t.Errorf("%s: exit %d, want %d: %s", c.meanwhile, o.code, c.code, o.stderr)
		}
		kept, err := os.ReadFile(disk)
		if strings.Contains(c.meanwhile, "precious >") && !strings.Contains(c.meanwhile, "mkdir") && string(kept) != "precious\n" {
			t.Errorf("%s: disk overwritten, %v", c.meanwhile, err)
		}
		if strings.HasPrefix(c.meanwhile, "banger") && !os.IsNotExist(err) {
			t.Errorf("%s: left a disk, %v", c.meanwhile, err)
		}
		noLeftovers(t, u)
	}
}

// interrupted runs a command that runs a script before its first truncate(2).
func (u user) interrupted(t *testing.T, cmd *exec.Cmd, script string) outcome {
	t.Helper()
	stderr, err := os.Create(filepath.Join(scratch(t), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	tr := trace{at: 1, of: unix.SYS_TRUNCATE, act: func(int) {
		if out, err := u.command("sh", "-c", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}}
	tr.run(t, cmd)
	if tr.changes == 0 {
		t.Error("no call of truncate(2)")
	}
	return outcome{"", read(t, stderr.Name()), exitCode(tr.status)}
}

// TestBootRamdisk checks that --print firecracker reuses its own initrd of an
// earlier run and refuses any other file at that path.
func TestBootRamdisk(t *testing.T) {
	t.Parallel()
	u := newUser(t, nobody)
	u.bootable(t, "app")
	boot := func(args ...string) outcome {
		return finish(t, u.command("banger", append([]string{"boot", "--keep", "disk", "--print", "firecracker", "app", "--"}, args...)...))
	}
	ramdisk := filepath.Join(u.home, "disk.initrd")
	if err := os.WriteFile(ramdisk, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := boot("/app")
	if kept, _ := os.ReadFile(ramdisk); o.code != 73 || string(kept) != "precious" || !hinted(o.stderr) {
		t.Errorf("exit %d, %q, %s", o.code, kept, o.stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(u.home, "disk")); left != nil {
		t.Errorf("left %q", left)
	}
	if err := os.Remove(ramdisk); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		args string
		code int
	}{{"/app", 0}, {"/app", 0}, {"/other", 73}} {
		if o := boot(c.args); o.code != c.code {
			t.Errorf("%d: exit %d, want %d: %s", i, o.code, c.code, o.stderr)
		}
	}
	noLeftovers(t, u)
}

// withProgram makes a command find a shell script under the name of a program.
func (u user) withProgram(t *testing.T, cmd *exec.Cmd, program, script string) *exec.Cmd {
	t.Helper()
	dir := filepath.Join(u.home, "fake")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i, v := range cmd.Env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			cmd.Env[i] = "PATH=" + dir + ":" + path
		}
	}
	return cmd
}

// TestBootStreams checks that, whatever the standard streams are, the machine
// ends with the command's status or with the failure to write its output; and
// that an emulated machine with several processors runs.
func TestBootStreams(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64")
	u := newUser(t, nobody)
	u.bootable(t, "app")
	for script, want := range map[string]string{
		"banger boot app -- /app x </dev/null >&-; echo $?":                    "42\n",
		"exec 3>&1; banger boot app -- /app x <&- >&- 2>&-; echo $? >&3":       "42\n",
		"banger boot --cpus 2 app -- /app x <&-; echo $?":                      "[/app x]\n42\n",
		"{ banger boot app -- /app yes </dev/null; echo $? >&2; } | head -n 1": "y\n",
		"banger boot app -- /app yes </dev/null >/dev/full; echo $?":           "73\n",
	} {
		o := finish(t, u.command("sh", "-c", script))
		if o.stdout != want || strings.Contains(script, "head") && !strings.HasSuffix(o.stderr, "\n141\n") {
			t.Errorf("%s: %q, want %q; %s", script, o.stdout, want, o.stderr)
		}
		noLeftovers(t, u)
	}
}

// TestBootFull checks that a full disk of the host is an error in the guest,
// and that the machine ends.
func TestBootFull(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64")
	needRoot(t)
	u := newUser(t, nobody)
	u.bootable(t, "app")
	small := filepath.Join(u.home, "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, size := range []string{"size=256k", "size=12m"} { // no room for a copy; none for what the guest writes
		if err := unix.Mount("tmpfs", small, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, size+",mode=1777"); err != nil {
			t.Fatal(err)
		}
		cmd := u.command("banger", "boot", "app", "--", "/app", "fill")
		cmd.Env = append(cmd.Env, "TMPDIR="+small)
		o := finish(t, cmd)
		if o.code != 73 || !strings.Contains(o.stderr, "\nhint: set TMPDIR") || strings.Contains(o.stderr, `\n`) {
			t.Errorf("%s: exit %d, %s%s", size, o.code, o.stdout, o.stderr)
		}
		noLeftovers(t, u)
		if err := unix.Unmount(small, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBootEnded checks that a signal to banger boot ends the machine and
// removes its files, and that a disk in use is not given to a second machine.
func TestBootEnded(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64")
	u := newUser(t, nobody)
	u.bootable(t, "app")
	for _, flags := range [][]string{nil, {"--keep", "disk.ext4"}} {
		cmd := u.command("banger", append(append([]string{"boot"}, flags...), "app", "--", "/app", "sleep")...)
		console, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(console)
		if line, err := lines.ReadString('\n'); err != nil || line != "[/app sleep]\n" {
			t.Errorf("%q, %v", line, err)
		}
		if flags != nil {
			if o := finish(t, u.command("banger", "boot", "--keep", "disk.ext4", "app")); o.code != 75 {
				t.Errorf("a second machine on the disk: exit %d, %s", o.code, o.stderr)
			}
		}
		cmd.Process.Signal(syscall.SIGTERM)
		io.Copy(io.Discard, lines) // until the machine, the last writer, is gone
		stdin.Close()
		cmd.Wait()
		if code := exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus)); code != 143 {
			t.Errorf("exit %d, not 143", code)
		}
		noLeftovers(t, u)
	}
}
