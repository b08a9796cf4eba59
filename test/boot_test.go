// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// probe runs in the guest, in the image's own shell and with its own programs,
// and puts a heading over each thing it tells of. ping is run by a user whose
// only way to a raw socket is the program's capability. Then it gives the
// kernel's ext4 some work, for e2fsck to look at.
const probe = `
tell() { echo "==> $1"; }
tell os-release; cat /etc/os-release
tell sudo; stat -c '%u:%g %04a' /usr/bin/sudo
tell capability; perl -e '
	($file, $name, $value) = ("/usr/bin/ping", "security.capability", "\0" x 64);
	print unpack("H*", substr($value, 0, syscall(191, $file, $name, $value, 64))), "\n"' # getxattr(2)
tell ping; setpriv --reuid 65534 --regid 65534 --clear-groups ping -c 1 127.0.0.1 >/dev/null; echo "exit $?"
cp -a /etc /root/etc && rm -r /usr/share/doc && sync
tell ext4; dmesg --level err,warn | grep EXT4
tell end
mount -o remount,ro /
echo o >/proc/sysrq-trigger
while :; do sleep 1; done
`

// TestBoot boots what an unprivileged user published, on a copy of it, and
// compares what the guest sees with what went into the image.
func TestBoot(t *testing.T) {
	need(t, "qemu-system-x86_64", "e2fsck")
	if runtime.GOARCH != "amd64" {
		t.Skip("the guest is amd64")
	}
	u := newUser(t, nobody)
	ref := debian(t).push(t, startRegistry(t), "debian:bookworm")
	published := u.publish(t, ref, debianKernel(t))
	master := filepath.Join(published, "rootfs.ext4")
	disk := filepath.Join(u.home, "disk.ext4")
	output(t, u.command("cp", "--sparse=always", "--no-preserve=mode", master, disk))
	before := sha256Of(t, master)

	console := u.qemu(t, published, disk)
	sameTree(t, map[string]facts{"guest": told(t, console)}, map[string]facts{"guest": seeded(t)})
	if t.Failed() {
		t.Logf("console:\n%s", console)
	}
	output(t, exec.Command(which("e2fsck"), "-fn", disk))
	if after := sha256Of(t, master); after != before {
		t.Errorf("the published image changed: %s, was %s", after, before)
	}
}

// publish takes the image from its registry and registers it with the kernel.
// It returns the published directory.
func (u user) publish(t testing.TB, ref string, k guestKernel) string {
	t.Helper()
	release := filepath.Base(k.modules)
	kernel, err := os.ReadFile(k.image)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"kernel": kernel, "initrd": initrd(t, k, probe)} {
		if err := os.WriteFile(filepath.Join(u.home, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(u.home, release), os.DirFS(k.modules)); err != nil {
		t.Fatal(err)
	}
	return output(t, u.command("sh", "-c", `banger-fetch "$1" | banger-flatten | banger-mkext4 |
		banger-register --kernel kernel --initrd initrd --modules "$2"`, "sh", ref, release))
}

// qemu boots a published image's kernel and initrd with disk, which the guest
// may write to, and returns what the guest wrote to its serial console once it
// is off. There is nothing in the machine that needs KVM or a PC's firmware. The
// guest's clock counts its instructions (icount): by the host's clock, a busy host
// makes Linux give up measuring the processor's speed, and hang.
func (u user) qemu(t testing.TB, published, disk string) string {
	t.Helper()
	o := finish(t, u.command("qemu-system-x86_64",
		"-M", "microvm,x-option-roms=off", "-accel", "tcg", "-icount", "shift=3", "-cpu", "max", "-m", "512",
		"-no-user-config", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
		"-kernel", filepath.Join(published, "vmlinux"), "-initrd", filepath.Join(published, "initrd.img"),
		"-append", "console=ttyS0 panic=-1 quiet",
		"-drive", "id=root,if=none,format=raw,file="+disk, "-device", "virtio-blk-device,drive=root"))
	if o.code != 0 {
		t.Fatalf("qemu: exit %d\n%s%s", o.code, o.stderr, o.stdout)
	}
	return strings.ReplaceAll(o.stdout, "\r\n", "\n")
}

// told is what the probe told, by its headings.
func told(t testing.TB, console string) facts {
	t.Helper()
	text, _, ended := strings.Cut(console, "==> end\n")
	if !ended {
		t.Fatalf("the guest did not get to the end:\n%s", console)
	}
	f := facts{}
	for _, part := range strings.Split(text, "==> ")[1:] {
		heading, said, _ := strings.Cut(part, "\n")
		f[heading] = said
	}
	return f
}

// seeded is what the probe must tell, going by the image's lowest layer, whose
// programs no other layer touches.
func seeded(t testing.TB) facts {
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

func sha256Of(t testing.TB, path string) string {
	t.Helper()
	sum, err := hashOf(path)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
