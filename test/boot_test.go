// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// probe runs in the guest, in the image's own shell with its own programs, and
// prints a heading before each result. ping runs as a user for whom only the
// file's capability opens a raw socket. Then it writes to the filesystem for
// e2fsck to check.
const probe = `
heading() { echo "==> $1"; }
heading os-release; cat /etc/os-release
heading sudo; stat -c '%u:%g %04a' /usr/bin/sudo
heading capability; perl -e '
	($file, $name, $value) = ("/usr/bin/ping", "security.capability", "\0" x 64);
	print unpack("H*", substr($value, 0, syscall(191, $file, $name, $value, 64))), "\n"' # getxattr(2)
heading ping; setpriv --reuid 65534 --regid 65534 --clear-groups ping -c 1 127.0.0.1 >/dev/null; echo "exit $?"
cp -a /etc /root/etc && rm -r /usr/share/doc && sync
heading ext4; dmesg --level err,warn | grep EXT4
heading end
exit 7
`

// TestBoot boots images that an unprivileged user has published with Debian's
// kernels, on copies, and checks the guests' output, the exit statuses and the
// disks.
func TestBoot(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64", "e2fsck")
	if runtime.GOARCH != "amd64" {
		t.Skip("the guest is amd64")
	}
	g := guests{newUser(t, nobody), startRegistry(t)}
	g.addKernel(t, "debian-6.1", kernel61)
	newer := g.addKernel(t, "debian-6.12", kernel612)
	t.Run("minbase", func(t *testing.T) { g.minbase(t) })
	t.Run("direct", func(t *testing.T) { g.direct(t) })
	t.Run("bzImage", func(t *testing.T) { g.bzImage(t, newer) })
	noLeftovers(t, g.user)
}

// guests is a user who boots images, and a registry.
type guests struct {
	user
	registry string
}

// minbase runs a command in a Debian without an init, on the older kernel.
func (g guests) minbase(t *testing.T) {
	g.publish(t, "minbase", debian(t).push(t, g.registry, "debian:bookworm"), "--kernel-ref", "debian-6.1")
	g.boots(t, "minbase")
}

// direct boots the same image, populated directly by the tools run by hand,
// and checks its record.
func (g guests) direct(t *testing.T) {
	dir := output(t, g.command("sh", "-c", `banger-fetch "$1" | banger-flatten -C "$2" | banger-mkext4 |
		banger-register --name direct --kernel-ref debian-6.12`, "sh", debian(t).push(t, g.registry, "debian:bookworm"), g.home))
	var r record
	fromJSON(t, read(t, filepath.Join(dir, "image.json")), &r)
	if sum := hash(t, filepath.Join(dir, "rootfs.ext4")); r.Ext4.SHA256 != sum || !strings.HasPrefix(r.Ext4.Mkfs, "1.") {
		t.Errorf("sha256 %s, is %s; mkfs %q", r.Ext4.SHA256, sum, r.Ext4.Mkfs)
	}
	g.boots(t, "direct")
}

// boots boots a Debian image with the probe and compares it with its layers.
func (g guests) boots(t *testing.T, name string) {
	t.Helper()
	g.lint(t, name, "/bin/sh -i as root: no init and no command: a shell")
	o := g.boot(t, name, "sh", "-c", "modprobe overlay && grep -qw overlay /proc/filesystems || exit 9\n"+probe)
	sameTree(t, map[string]facts{"guest": results(t, o.stdout)}, map[string]facts{"guest": wantResults(t)})
	if o.code != 7 {
		t.Errorf("exit %d, want the command's 7", o.code)
	}
}

// bzImage boots the same image with the bzImage of the newer kernel's package.
func (g guests) bzImage(t *testing.T, kernel string) {
	master := output(t, g.command("banger", "image", "path", "minbase"))
	output(t, g.command("banger-register", "--name", "bzimage", "--kernel", filepath.Join(kernel, "bzImage"),
		"--initrd", filepath.Join(kernel, "initrd.img"), "--modules", filepath.Join(kernel, "modules.ext4"), filepath.Join(master, "rootfs.ext4")))
	g.lint(t, "bzimage", "is a bzImage: QEMU boots it, Firecracker does not", "/bin/sh -i as root: no init and no command: a shell")
	o := g.boot(t, "bzimage", "sh", "-c", "uname -r; kill -9 $$")
	if want := strings.TrimPrefix(dependency(t, kernel612), "linux-image-") + "\n"; o.stdout != want || o.code != 128+9 {
		t.Errorf("exit %d, %q; want 137 and %q", o.code, o.stdout, want)
	}
}

// staticProgram returns a program that prints its arguments and exits with 42. The
// last argument makes it print without end, sleep, copy its input, wait for
// SIGTERM, with or without facts of itself, or fill the disk first.
func staticProgram(t testing.TB) string {
	t.Helper()
	return compiled(t, `package main
import ("bytes"; "fmt"; "io"; "os"; "os/signal"; "sort"; "strings"; "syscall"; "time")
func main() {
	last := os.Args[len(os.Args)-1]
	for last == "yes" { fmt.Println("y") }
	if last == "cat" { n, err := io.Copy(os.Stdout, os.Stdin); fmt.Fprintln(os.Stderr, n, err); os.Exit(3) }
	if last == "facts" {
		groups, _ := os.Getgroups()
		dir, _ := os.Getwd()
		env := os.Environ()
		sort.Strings(env)
		fmt.Printf("%d:%d %v %s\n%s\n", os.Getuid(), os.Getgid(), groups, dir, strings.Join(env, "\n"))
		last = "term"
	}
	asked := make(chan os.Signal, 1)
	if last == "term" { signal.Notify(asked, syscall.SIGTERM) }
	fmt.Println(os.Args)
	if last == "term" { <-asked; fmt.Println("asked"); os.Exit(5) }
	if last == "sleep" { time.Sleep(time.Hour) }
	if last == "fill" { os.WriteFile("/big", bytes.Repeat([]byte("full "), 4<<20), 0600); syscall.Sync() }
	os.Exit(42)
}`)
}

// compiled returns a static program made of its source.
func compiled(t testing.TB, text string) string {
	t.Helper()
	dir := scratch(t)
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "app"), source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
	output(t, build)
	program, err := os.ReadFile(filepath.Join(dir, "app"))
	if err != nil {
		t.Fatal(err)
	}
	return string(program)
}

// publish pulls an image with flags.
func (g guests) publish(t testing.TB, name, ref string, flags ...string) {
	t.Helper()
	output(t, g.command("banger", append([]string{"image", "pull", "--name", name, ref}, flags...)...))
}

// lint checks that the image is bootable and has the findings given, in order,
// and no others.
func (g guests) lint(t *testing.T, name string, findings ...string) {
	t.Helper()
	got := strings.Fields(strings.ReplaceAll(output(t, g.command("banger-image", "lint", "--json", name)), " ", "_"))
	ok := len(got) == len(findings)
	for i := range min(len(got), len(findings)) {
		ok = ok && strings.Contains(got[i], strings.ReplaceAll(findings[i], " ", "_"))
	}
	if !ok {
		t.Errorf("%s: lint finds %q, want %q", name, got, findings)
	}
}

// boot boots an image on a disk that it keeps, for five minutes at most. The
// published image must not change, and the disk must pass e2fsck.
func (g guests) boot(t *testing.T, name string, command ...string) outcome {
	t.Helper()
	master := filepath.Join(output(t, g.command("banger", "image", "path", name)), "rootfs.ext4")
	before := hash(t, master)
	disk := filepath.Join(g.home, "disk.ext4")
	defer os.Remove(disk)
	args := []string{"boot", "--keep", disk, name}
	if len(command) > 0 {
		args = append(append(args, "--"), command...)
	}
	o := patiently(t, g.command("banger", args...))
	output(t, exec.Command(which("e2fsck"), "-fn", disk))
	if after := hash(t, master); after != before {
		t.Errorf("the published image changed: %s, was %s", after, before)
	}
	if t.Failed() {
		t.Logf("stderr:\n%sconsole:\n%s", o.stderr, o.stdout)
	}
	return o
}

// patiently runs a command for five minutes at most.
func patiently(t testing.TB, cmd *exec.Cmd) (o outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var stdout, stderr strings.Builder
	limited := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	limited.Dir, limited.Env, limited.SysProcAttr = cmd.Dir, cmd.Env, cmd.SysProcAttr
	limited.Stdout, limited.Stderr = &stdout, &stderr
	limited.Cancel = func() error { return limited.Process.Signal(os.Interrupt) }
	limited.WaitDelay = 10 * time.Second
	err := limited.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s: %v, %v\n%s%s", cmd, err, ctx.Err(), stderr.String(), stdout.String())
	}
	o.code, o.stdout, o.stderr = limited.ProcessState.ExitCode(), stdout.String(), stderr.String()
	return o
}

// results returns what the probe printed, by heading.
func results(t testing.TB, console string) facts {
	t.Helper()
	text, _, ended := strings.Cut(console, "==> end\n")
	if !ended {
		t.Fatalf("the guest did not get to the end:\n%s", console)
	}
	f := facts{}
	for _, part := range strings.Split(text, "==> ")[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		f[heading] = body
	}
	return f
}

// wantResults returns what the probe must print, from the image's lowest
// layer, whose programs no other layer changes.
func wantResults(t testing.TB) facts {
	t.Helper()
	file, err := os.Open(bootstrap(t))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want := facts{"ping": "exit 0\n", "ext4": ""}
	for r := tar.NewReader(file); ; {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return want
		case err != nil:
			t.Fatal(err)
		}
		switch h.Name {
		case "./usr/lib/os-release":
			text, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			want["os-release"] = string(text)
		case "./usr/bin/sudo":
			want["sudo"] = fmt.Sprintf("%d:%d %04o\n", h.Uid, h.Gid, h.Mode)
		case "./usr/bin/ping":
			want["capability"] = fmt.Sprintf("%x\n", h.PAXRecords["SCHILY.xattr.security.capability"])
		}
	}
}
