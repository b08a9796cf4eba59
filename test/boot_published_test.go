// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestPublishedInitrd boots a published image with its own initrd.img and nothing
// else of banger's, in QEMU run by hand: the image's config takes effect, on a
// kernel whose drivers are modules and on one from a file.
func TestPublishedInitrd(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64", "e2fsck", "umoci")
	if runtime.GOARCH != "amd64" {
		t.Skip("the guest is amd64")
	}
	u := newUser(t, nobody)
	k := u.addKernel(t, "k", kernel612)
	dir := scratch(t)
	image := makeImage(t, filepath.Join(dir, "layout"), "1", writeLayer(t, dir, 1, []entry{
		directory("bin"), file("bin/report", reporter(t)).mode(0o4755), // to stop the machine, it has to be root
		directory("etc"), file("etc/passwd", "web:x:1234:567::/srv:/bin/report\n"), file("etc/group", "web:x:567:\nextra:x:890:web\n"),
	}))
	output(t, exec.Command("umoci", "config", "--image", image.String(), "--config.user", "web", "--config.env", "GREETING=hello there",
		"--config.workingdir", "/srv/data", "--config.entrypoint", "/bin/report", "--config.cmd", "two words", "--config.stopsignal", "SIGUSR2"))
	skopeo(t, "copy", "--quiet", "oci:"+image.String(), "oci:"+filepath.Join(u.home, "app")+":1")

	output(t, u.command("sh", "-c", `banger-flatten app:1 | banger-mkext4 --size 32M | banger-register --name my_app --kernel-ref k`))
	u.bootsByHand(t, "my_app", "my-app")
	output(t, u.command("sh", "-c", `banger-register --name files --kernel "$1/bzImage" --initrd "$1/initrd.img" --modules "$1/modules.ext4" app-1.bundle/rootfs.ext4`, "sh", k))
	u.bootsByHand(t, "files", "files")
	noLeftovers(t, u)
}

// TestInitrdKept: an initrd that banger did not make is published as it is, with a
// warning, and the hint gives the image one of banger's.
func TestInitrdKept(t *testing.T) {
	t.Parallel()
	need(t, "mkfs.ext4", "busybox")
	u := newUser(t, nobody)
	k := kernel(t, u.place(t))
	theirs := filepath.Join(k, "initrd.img")
	if err := os.WriteFile(theirs, cpioArchive(map[string]string{"init": "#!/bin/sh\n"}, "bin", "init"), 0o644); err != nil {
		t.Fatal(err)
	}
	output(t, u.command("sh", "-c", `mkdir root && echo text >root/file && banger-mkext4 --size 32M root && banger-kernel add k "$1"`, "sh", k))
	const warning = ": initrd.img came with the kernel: it has no agent, and does not run the image's command\n"
	for name, flags := range map[string][]string{"store": {"--kernel-ref", "k"}, "files": {"--kernel", filepath.Join(k, "vmlinux"), "--initrd", theirs}} {
		o := finish(t, u.command("banger-register", append(flags, "--name", name, "root.ext4")...))
		dir := strings.TrimSuffix(o.stdout, "\n")
		if o.code != 0 || !strings.Contains(o.stderr, "warning: "+name+warning) || hash(t, filepath.Join(dir, "initrd.img")) != hash(t, theirs) {
			t.Fatalf("%+v", o)
		}
		if printed := output(t, u.command("banger", "boot", "--keep", name+".disk", "--print", "firecracker", name)); !strings.Contains(printed, dir+"/initrd.img") {
			t.Errorf("%s: %s", name, printed)
		}
	}
	for _, hint := range hintsOf(finish(t, u.command("banger-register", "-f", "--name", "store", "--kernel-ref", "k", "root.ext4")).stderr) {
		if strings.HasPrefix(hint, "banger kernel initrd ") {
			output(t, u.command("sh", "-c", hint))
		}
	}
	made := u.command("sh", "-c", `busybox cpio -t <"$(banger image path store)/initrd.img"`)
	if got := strings.Fields(output(t, made)); !slices.Equal(got, []string{"dev", "modules", "proc", "root", "sys", "init", "machine.json"}) {
		t.Errorf("%q", got)
	}
	noLeftovers(t, u)
}

// bootsByHand boots a copy of an image's disk with the kernel and the initrd.img
// in its directory, and checks what reporter prints.
func (u user) bootsByHand(t *testing.T, name, hostname string) {
	t.Helper()
	dir := output(t, u.command("banger", "image", "path", name))
	output(t, u.command("cp", "--sparse=always", "--no-preserve=mode", filepath.Join(dir, "rootfs.ext4"), "disk"))
	o := patiently(t, u.command("qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
		"-kernel", filepath.Join(dir, "vmlinux"), "-initrd", filepath.Join(dir, "initrd.img"),
		"-append", "console=ttyS0 root=/dev/vda rw quiet", "-drive", "file=disk,format=raw,if=virtio"))
	_, report, _ := strings.Cut(strings.ReplaceAll(o.stdout, "\r\n", "\n"), "==> ")
	want := "/bin/report [two words]\nuser 1234, group 567, extra: true, on " + hostname + "\nhello there in /srv/data\nasked by user defined signal 2\n"
	if o.code != 0 || !strings.HasPrefix(report, want) {
		t.Errorf("%s: exit %d\n%s%s", name, o.code, o.stdout, o.stderr)
	}
	output(t, exec.Command(which("e2fsck"), "-fn", filepath.Join(u.home, "disk")))
}

// reporter returns a program that prints how it was started, asks for the machine's
// end, and prints the signal that it gets.
func reporter(t *testing.T) string {
	t.Helper()
	return compiled(t, `package main
import ("fmt"; "os"; "os/signal"; "slices"; "syscall")
func main() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGUSR2)
	groups, _ := os.Getgroups()
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	fmt.Println("==>", os.Args[0], os.Args[1:])
	fmt.Printf("user %d, group %d, extra: %v, on %s\n", os.Getuid(), os.Getgid(), slices.Contains(groups, 890), host)
	fmt.Println(os.Getenv("GREETING"), "in", dir)
	syscall.Kill(1, syscall.SIGTERM)
	fmt.Println("asked by", <-asked)
}`)
}
