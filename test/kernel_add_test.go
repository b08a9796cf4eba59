// SPDX-License-Identifier: Apache-2.0

package test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A kernelRecord is the output of banger-kernel show --json.
type kernelRecord struct {
	Name, Path, Distro, Arch, Release, Source string
	SHA256                                    map[string]string
}

func (u user) showKernel(t testing.TB, name string) (k kernelRecord) {
	t.Helper()
	if err := json.Unmarshal([]byte(output(t, u.command("banger", "kernel", "show", "--json", name))), &k); err != nil {
		t.Fatal(err)
	}
	return k
}

// TestKernelAdd adds one kernel in every form that it can come in, as an
// ordinary user: the parts are always those of Debian's package.
func TestKernelAdd(t *testing.T) {
	need(t, "dpkg-deb", "xz", "zstd", "gzip")
	u := newUser(t, nobody)
	deb := u.copyHome(t, kernelPackage(t, kernel61))
	output(t, u.command("sh", "-c", `mkdir files && dpkg-deb --fsys-tarfile "$1" >data.tar && tar -xf data.tar -C files &&
		gzip -1 <data.tar >data.tar.gz && zstd -q data.tar && xz -0 <data.tar >data.tar.xz`, "sh", deb))
	for _, source := range []string{deb, "data.tar", "data.tar.gz", "data.tar.xz", "data.tar.zst", "files"} {
		name := strings.ReplaceAll(filepath.Base(source), "_", "-")
		if got, want := output(t, u.command("banger-kernel", "add", name, source)), u.kernels(name); got != want {
			t.Errorf("%s: printed %q, want %q", source, got, want)
		}
		u.isDebian61(t, name)
	}
	layout := filepath.Join(scratch(t), "layout")
	makeImage(t, layout, "1", filepath.Join(u.home, "data.tar"))
	output(t, exec.Command("cp", "-r", layout, filepath.Join(u.home, "layout")))
	output(t, exec.Command("chmod", "-R", "a+rX", filepath.Join(u.home, "layout")))
	output(t, u.command("sh", "-c", "banger-flatten layout:1 | banger-kernel add bundle"))
	u.isDebian61(t, "bundle")
	u.managesKernels(t)
	u.withoutModules(t)
}

func (u user) kernels(name string) string {
	return filepath.Join(u.home, ".local/state/banger/kernels", name)
}

// isDebian61 compares a kernel's parts with the unpacked package.
func (u user) isDebian61(t *testing.T, name string) {
	t.Helper()
	k := u.showKernel(t, name)
	release := filepath.Base(only(t, filepath.Join(u.home, "files/lib/modules/*")))
	if k.Name != name || k.Path != u.kernels(name) || k.Distro != "debian" || k.Arch != "amd64" || k.Release != release {
		t.Errorf("%+v", k)
	}
	for part, origin := range map[string]string{"bzImage": "boot/vmlinuz-" + release, "vmlinux.config": "boot/config-" + release} {
		if got, want := k.SHA256[part], hash(t, filepath.Join(u.home, "files", origin)); got != want {
			t.Errorf("%s: %s is %s, in the package %s", name, part, got, want)
		}
	}
	modules := filepath.Join(scratch(t), "modules")
	output(t, exec.Command("mkdir", modules))
	output(t, exec.Command(which("debugfs"), "-R", "rdump / "+modules, filepath.Join(k.Path, "modules.ext4")))
	output(t, exec.Command("sh", "-c", `cd "$1" && rmdir lost+found && rm modules.alias modules.alias.bin modules.builtin.bin modules.dep modules.dep.bin modules.devname modules.softdep`, "sh", modules))
	output(t, exec.Command("diff", "-r", filepath.Join(u.home, "files/lib/modules", release), modules))
	u.kernelSums(t, k)
}

// kernelSums compares the sums of a record with sha256sum's.
func (u user) kernelSums(t *testing.T, k kernelRecord) {
	t.Helper()
	sums := map[string]string{}
	for part := range k.SHA256 {
		cmd := u.command("sh", "-c", "sha256sum <"+part)
		cmd.Dir = k.Path
		sums[part], _, _ = strings.Cut(output(t, cmd), " ")
	}
	if !maps.Equal(sums, k.SHA256) {
		t.Errorf("%s: sums %v, in the record %v", k.Name, sums, k.SHA256)
	}
}

// managesKernels replaces, lists and removes kernels.
func (u user) managesKernels(t *testing.T) {
	if o := finish(t, u.command("banger-kernel", "add", "files", "files")); o.code != 73 || !strings.Contains(o.stderr, "exists\nhint: -f replaces it") {
		t.Errorf("over an existing kernel: exit %d, %s", o.code, o.stderr)
	}
	output(t, u.command("banger-kernel", "add", "-f", "files", "files"))
	first := output(t, u.command("banger-kernel", "show", "files"))
	if path := output(t, u.command("banger-kernel", "initrd", "files")); path != u.kernels("files")+"/initrd.img" {
		t.Errorf("initrd: %s", path)
	}
	if again := output(t, u.command("banger-kernel", "show", "files")); withoutTime(again) != withoutTime(first) {
		t.Errorf("the initrd is not reproducible:\n%s\n%s", first, again)
	}
	output(t, u.command("banger-kernel", "rm", "data.tar", "data.tar.gz", "data.tar.xz"))
	var names []string
	for line := range strings.Lines(output(t, u.command("banger-kernel", "list"))) {
		names = append(names, strings.Fields(line)[0])
	}
	deb := strings.ReplaceAll(filepath.Base(only(t, filepath.Join(u.home, "*.deb"))), "_", "-")
	if got, want := strings.Join(names, " "), "NAME bundle data.tar.zst files "+deb; got != want {
		t.Errorf("listed %s, want %s", got, want)
	}
	if o := finish(t, u.command("banger-kernel", "path", "data.tar")); o.code != 66 {
		t.Errorf("the path of a removed kernel: exit %d, %s", o.code, o.stdout)
	}
}

// withoutTime cuts a record before the time of the addition.
func withoutTime(record string) string {
	before, _, _ := strings.Cut(record, `"added"`)
	return before
}

// withoutModules checks that a kernel file without modules can be added, and
// that none or several are an error that leaves nothing.
func (u user) withoutModules(t *testing.T) {
	output(t, u.command("sh", "-c", `mkdir none two && cp files/boot/vmlinuz-* two && for v in files/boot/vmlinuz-*; do
		sed 's/-cloud-amd64/-cloud-amd65/' "$v" >two/vmlinuz-other; done; : >none/vmlinuz; : >empty`))
	for source, words := range map[string]string{
		"none": "no kernel in it", "two": "several kernels in it: vmlinuz-", "empty": "", "/none": "no such file",
	} {
		if o := finish(t, u.command("banger-kernel", "add", "x", source)); o.code != 65 && o.code != 66 || !strings.Contains(o.stderr, words) {
			t.Errorf("%s: exit %d, %s", source, o.code, o.stderr)
		}
	}
	// It cannot boot: its drivers are modules.
	vmlinuz := "files/boot/vmlinuz-" + filepath.Base(only(t, filepath.Join(u.home, "files/lib/modules/*")))
	output(t, u.command("banger-kernel", "add", "alone", vmlinuz))
	if k := u.showKernel(t, "alone"); len(k.SHA256) != 2 || k.SHA256["vmlinux"] == "" || k.SHA256["bzImage"] == "" {
		t.Errorf("%+v", k)
	}
	if left, err := os.ReadDir(filepath.Join(u.home, ".local/state/banger/kernels")); err != nil || len(left) != 5 {
		t.Errorf("among the kernels: %v, %v", left, err)
	}
}

// TestKernelDebian checks that the script gets the distribution's kernel, the
// same for root as for other users.
func TestKernelDebian(t *testing.T) {
	need(t, "apt-get", "dpkg-deb")
	dependency(t, kernel612)
	var sums []map[string]string
	for _, id := range []uint32{nobody, 0} {
		u := newUser(t, id)
		if got := output(t, u.command("banger", "kernel", "debian", "newer", kernel612)); got != u.kernels("newer") {
			t.Errorf("printed %q", got)
		}
		if o := finish(t, u.command("banger", "kernel", "debian", "newer", kernel612)); o.code != 73 || !hinted(o.stderr) {
			t.Errorf("over an existing kernel: exit %d, %s", o.code, o.stderr)
		}
		if o := finish(t, u.command("banger", "kernel", "debian", "none", "linux-image-none")); o.code != 66 || !hinted(o.stderr) {
			t.Errorf("no such package: exit %d, %s", o.code, o.stderr)
		}
		sums = append(sums, u.showKernel(t, "newer").SHA256)
		noLeftovers(t, u)
	}
	if len(sums[0]) != 5 || !maps.Equal(sums[0], sums[1]) {
		t.Errorf("an ordinary user has %v, root %v", sums[0], sums[1])
	}
}

// TestKernelDebianFails checks that a bad name is an error before the
// download, and that a failed download is reported in apt-get's words.
func TestKernelDebianFails(t *testing.T) {
	need(t, "apt-get", "dpkg-deb")
	dependency(t, kernel612)
	u := newUser(t, nobody)
	u.addKernel(t, "taken", kernel61)
	for _, c := range []struct {
		name, apt string
		code      int
		words     string
	}{
		{"bad name", "", 64, "cannot be a name"},
		{strings.Repeat("n", 129), "", 64, "cannot be a name"},
		{"taken", "", 73, "taken: exists"},
		{"k", "E: Failed to fetch x  Error writing to file - write (28: No space left on device)", 73, "hint: set TMPDIR"},
		{"k", "E: Failed to fetch x  404  Not Found [IP: 127.0.0.1 80]", 66, "apt-get update"},
		{"k", "E: Failed to fetch x  Could not connect", 75, "Could not connect"},
	} {
		apt := "echo Get:1; echo '" + c.apt + "' >&2; exit 100"
		if c.apt == "" {
			apt = ">$HOME/downloaded"
		}
		o := finish(t, u.withProgram(t, u.command("banger", "kernel", "debian", c.name, kernel612), "apt-get", apt))
		if o.code != c.code || o.stdout != "" || !strings.Contains(o.stderr, c.words) {
			t.Errorf("%s, %s: exit %d, want %d: %s%s", c.name, c.apt, o.code, c.code, o.stdout, o.stderr)
		}
		noLeftovers(t, u)
	}
	if _, err := os.Stat(filepath.Join(u.home, "downloaded")); err == nil {
		t.Error("downloaded despite the error")
	}
}
