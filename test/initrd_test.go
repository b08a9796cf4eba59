// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// initScript makes the first virtio disk the root filesystem, and hands the
// script in /probe to the shell that is there: from then on, nothing runs that
// is not the image's. If a step fails it ends, and the kernel panics.
const initScript = `#!/bin/sh
set -e
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
mount -t ext4 /dev/vda /root
mount -o move /proc /root/proc
mount -o move /dev /root/dev
ifconfig lo up
dmesg -n 1
exec switch_root /root /bin/sh -c "$(cat /probe)"
`

// initrd is an initramfs for the kernel that runs the script probe, as process
// 1, in the image.
func initrd(t testing.TB, k guestKernel, probe string) []byte {
	t.Helper()
	need(t, "busybox")
	busybox, err := os.ReadFile(which("busybox"))
	if err != nil {
		t.Fatal(err)
	}
	var a cpio
	for _, dir := range []string{"bin", "dev", "modules", "proc", "root"} {
		a.add(dir, unix.S_IFDIR|0o755, nil)
	}
	a.add("bin/busybox", unix.S_IFREG|0o755, busybox)
	for _, applet := range []string{"cat", "dmesg", "ifconfig", "insmod", "mount", "sh", "switch_root"} {
		a.add("bin/"+applet, unix.S_IFLNK|0o777, []byte("busybox"))
	}
	a.add("init", unix.S_IFREG|0o755, []byte(initScript))
	a.add("probe", unix.S_IFREG|0o644, []byte(probe))
	for i, m := range k.load(t, "virtio_mmio", "virtio_blk", "ext4") {
		a.add(fmt.Sprintf("modules/%02d", i), unix.S_IFREG|0o644, m)
	}
	a.add("TRAILER!!!", 0, nil)
	return a.Bytes()
}

// A cpio is an archive in the "newc" form that Linux unpacks at boot: see the
// kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
type cpio struct{ bytes.Buffer }

func (a *cpio) add(name string, mode int, data []byte) {
	inode := a.Len()
	fmt.Fprintf(a, "070701%08x%08x", inode, mode)
	for _, field := range []int{0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0} {
		fmt.Fprintf(a, "%08x", field)
	}
	a.WriteString(name + "\x00")
	a.pad()
	a.Write(data)
	a.pad()
}

func (a *cpio) pad() { a.Write(make([]byte, -a.Len()&3)) }
