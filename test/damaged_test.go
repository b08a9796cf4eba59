// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRegisterDamaged checks that an image that e2fsck rejects is not
// published, even with correct checksums, which debugfs writes.
func TestRegisterDamaged(t *testing.T) {
	needRoot(t)
	need(t, "mkfs.ext4", "e2fsck", "debugfs", "mount", "umount")
	u := newUser(t, nobody)
	output(t, u.command("sh", "-c", `mkdir -p root/sub && cd root && seq 20000 >f && ln f g && ln -s f s && mkfifo p &&
		for n in $(seq 300); do : >sub/name-of-a-file-$n; done; seq 100000 >big`))
	whole := output(t, u.command("banger-mkext4", "--size=32M", "root"))
	mounted := filepath.Join(u.home, "mounted.ext4")
	output(t, exec.Command("cp", "--sparse=always", filepath.Join(u.home, whole), mounted))
	root, unmount := mountWritable(t, mounted)
	if err := os.WriteFile(filepath.Join(root, "new"), []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	unmount()
	output(t, exec.Command("chown", "65534:65534", mounted))
	for _, image := range []string{whole, "mounted.ext4"} {
		output(t, u.command("banger-register", "-f", "--name=x", image))
		before := output(t, u.command("banger-image", "show", "x"))
		for _, command := range []string{
			"sif /f links_count 3", "sif /f links_count 1", "sif /f blocks 80", "sif /f size 1",
			"sif /sub links_count 5", "sif /sub flags 0x80000", "sif /f mode 040755", "sif /p mode 0100644", "sif /s size 3",
			"sif /f mode 0", "sif /f flags 0", "clri /f", "clri /sub", "unlink /big", "freei /f", "sif /f file_acl 100",
			"sif /f extra_isize 200", "sif /sub size 4096", "sif <8> size 4096",
			"freeb 700 5", "setb 5000 3",
		} {
			t.Run(image+"/"+command, func(t *testing.T) {
				file := filepath.Join(u.home, "damaged.ext4")
				output(t, exec.Command("cp", "--sparse=always", filepath.Join(u.home, image), file))
				output(t, exec.Command(which("debugfs"), "-w", "-R", command, file))
				output(t, exec.Command("chown", "65534:65534", file))
				if exec.Command(which("e2fsck"), "-fn", file).Run() == nil {
					t.Fatal("e2fsck finds no error")
				}
				o := finish(t, u.command("banger-register", "-f", "--name=x", file))
				if o.code != 65 || !strings.HasPrefix(o.stderr, "banger-register: "+file+": ") {
					t.Errorf("%+v", o)
				}
				if got := output(t, u.command("banger-image", "show", "x")); got != before {
					t.Errorf("published: %s", got)
				}
			})
		}
	}
}
