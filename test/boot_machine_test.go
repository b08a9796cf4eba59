// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestBootInput: with -i, standard input reaches the command byte for byte, with
// its end, and its output and errors are apart. Without, the input is nobody's.
func TestBootInput(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64")
	u := newUser(t, nobody)
	u.bootable(t, "app")
	var all []byte
	for i := range 100_000 {
		all = append(all, byte(i), byte(i>>8), '\r', '\n', 3, 4)
	}
	for _, in := range [][]byte{nil, []byte("one line, not ended"), all} {
		cmd := u.command("banger", "boot", "-q", "-i", "app", "--", "/app", "cat")
		cmd.Stdin = bytes.NewReader(in)
		if o := finish(t, cmd); o.code != 3 || o.stdout != string(in) || o.stderr != fmt.Sprintf("%d <nil>\n", len(in)) {
			t.Errorf("exit %d, not 3; %d bytes of %d; %s", o.code, len(o.stdout), len(in), o.stderr)
		}
	}
	o := patiently(t, u.command("sh", "-c", `printf 'one\ntwo\n' | while read -r n; do banger boot -q app -- /app $n; done; echo rest | { banger boot -q app -- /app cat; cat; }`))
	if want := "[/app one]\n[/app two]\n0 <nil>\nrest\n"; o.stdout != want {
		t.Errorf("%q, not %q; %s", o.stdout, want, o.stderr)
	}
	noLeftovers(t, u)
}

// TestBootDetached: machines in the background have names of their own, are
// listed, and end when they are told to, in order.
func TestBootDetached(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64")
	u := newUser(t, nobody)
	u.bootable(t, "app")
	for _, want := range []string{"app", "app-2"} {
		if name := output(t, u.command("banger", "boot", "-d", "--keep", want+".disk", "--publish", "0:80", "app", "--", "/app", "term")); name != want {
			t.Errorf("%q, not %q", name, want)
		}
	}
	type listed struct {
		Name, Image, Disk string
		Ready             bool
		Ports             []struct{ Host, Guest int }
	}
	var machines []listed
	for line := range strings.Lines(output(t, u.command("banger", "machine", "list", "--json"))) {
		var m listed
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		machines = append(machines, m)
	}
	if len(machines) != 2 || machines[1].Name != "app-2" || machines[1].Image != "app" || !machines[1].Ready || len(machines[1].Ports) != 1 {
		t.Fatalf("%+v", machines)
	}
	port := machines[0].Ports[0]
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port.Host)); err != nil || port.Guest != 80 {
		t.Errorf("%+v: %v", port, err)
	} else {
		conn.Close()
	}
	for flags, want := range map[string]string{
		"--name app-2": "app-2: a machine of this name is running",
		fmt.Sprintf("--publish %d:80", port.Host): fmt.Sprintf("127.0.0.1:%d: the port is in use", port.Host),
	} {
		if o := finish(t, u.command("banger", bootArgs(flags)...)); o.code != 73 || !strings.Contains(o.stderr, want) || !hinted(o.stderr) {
			t.Errorf("%s: exit %d, %s", flags, o.code, o.stderr)
		}
	}
	for i, m := range machines {
		output(t, u.command("banger", "machine", "stop", m.Name))
		output(t, exec.Command(which("e2fsck"), "-fn", m.Disk)) // a killed machine leaves a journal to replay
		if left := strings.Count(output(t, u.command("banger", "machine", "list")), "\n"); left != len(machines)-i-1 {
			t.Errorf("%d machines are listed", left)
		}
	}
	if o := finish(t, u.command("banger", "machine", "stop", "app")); o.code != 66 || !hinted(o.stderr) {
		t.Errorf("exit %d, %s", o.code, o.stderr)
	}
	noLeftovers(t, u)
}

// TestBootKilled: what a killed banger-boot leaves, QEMU not, the next one
// removes.
func TestBootKilled(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64")
	u := newUser(t, nobody)
	u.bootable(t, "app")
	cmd := u.command("banger", "boot", "app", "--", "/app", "sleep")
	console, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	if n, err := console.Read(buffer); err != nil {
		t.Fatalf("%q, %v", buffer[:n], err)
	}
	dir := filepath.Join(u.home, ".local/state/banger/machines/app")
	qemu := output(t, exec.Command("pgrep", "-P", fmt.Sprint(cmd.Process.Pid)))
	cmd.Process.Signal(syscall.SIGKILL)
	cmd.Wait()
	pid, err := strconv.Atoi(qemu)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "QEMU to end", func() bool { return gone(pid) })
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("nothing left to remove: %v", err)
	}
	if o := finish(t, u.command("banger", "boot", "--name", "app", "app", "--", "/app")); o.code != 42 {
		t.Errorf("exit %d, %s", o.code, o.stderr)
	}
	noLeftovers(t, u)
}

// TestBootCommands: the printed commands boot the image by hand, here with another
// kernel than its own, and nothing is made before they are run.
func TestBootCommands(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64", "cpio", "e2fsck", "dumpe2fs")
	u := newUser(t, nobody)
	u.bootable(t, "app")
	tmp := filepath.Join(u.home, "tmp")
	output(t, u.command("mkdir", tmp))
	output(t, u.command("cp", "-r", ".local/state/banger/kernels/k", ".local/state/banger/kernels/k2"))
	script := output(t, withEnv(u.command("banger", "boot", "--accel", "tcg", "--keep", "a disk", "--size", "64M", "--kernel-ref", "k2", "--print", "commands", "app", "--", "/app", "it's"), "TMPDIR="+tmp))
	if made, err := os.ReadDir(tmp); err != nil || len(made) > 0 {
		t.Fatalf("made: %v, %v", made, err)
	}
	if _, err := os.Stat(filepath.Join(u.home, "a disk")); err == nil {
		t.Fatal("the disk was made")
	}
	o := finish(t, u.command("sh", "-ec", script))
	if !strings.Contains(o.stdout, "[/app it's]\r\n") && !strings.Contains(o.stdout, "[/app it's]\n") {
		t.Errorf("exit status %d\n%s\n%s%s", o.code, script, o.stdout, o.stderr)
	}
	lines, err := os.ReadFile(filepath.Join(tmp, "banger-app", "status"))
	if err != nil || !strings.HasSuffix(string(lines), "\nEXIT_STATUS=42\n") {
		t.Errorf("status lines: %q, %v", lines, err)
	}
	disk := filepath.Join(u.home, "a disk")
	output(t, exec.Command(which("e2fsck"), "-fn", disk))
	if blocks := dumpe2fs(t, disk).number(t, "Block count"); blocks != 64<<20/4096 {
		t.Errorf("the filesystem has %d blocks", blocks)
	}
	noLeftovers(t, u)
}

// TestBootOther: the disk of one image is not booted as another's, and an image
// without a kernel is booted with the only one there is, or the one named.
func TestBootOther(t *testing.T) {
	t.Parallel()
	need(t, "qemu-system-x86_64", "debugfs")
	u := newUser(t, nobody)
	u.bootable(t, "app")
	output(t, u.command("sh", "-c", `mkdir other && cp root/app other && banger-mkext4 --size 40M other && banger-register --name other other.ext4`))
	output(t, u.command("banger", "boot", "--keep", "disk", "--print", "firecracker", "app"))
	o := finish(t, u.command("banger", "boot", "--keep", "disk", "other"))
	if o.code != 65 || !strings.Contains(o.stderr, "disk: not a disk of other: ") || !strings.Contains(o.stderr, "\nhint: banger boot --keep disk app\n") {
		t.Errorf("exit %d, %s", o.code, o.stderr)
	}
	o = finish(t, u.command("banger", "boot", "other", "--", "/app", "x"))
	if o.code != 42 || o.stdout != "[/app x]\n" || !strings.Contains(o.stderr, "other: no kernel of its own: booting k,") {
		t.Errorf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	output(t, u.command("cp", "-r", ".local/state/banger/kernels/k", ".local/state/banger/kernels/k2"))
	o = finish(t, u.command("banger", "boot", "other", "--", "/app"))
	if o.code != 65 || !strings.Contains(o.stderr, "\nhint: banger boot --kernel-ref k other\n") {
		t.Errorf("exit %d, %s", o.code, o.stderr)
	}
	u.older(t, ".local/state/banger/kernels/k2", "kernel.json")
	o = finish(t, u.command("banger", "boot", "-v", "--kernel-ref", "k2", "other", "--", "/app"))
	const mend = `banger kernel add -f k2 "$(banger kernel path k2)"`
	if o.code != 42 || !strings.Contains(o.stderr, "kernels/k2/vmlinux ") || !strings.Contains(o.stderr, "banger-image initrd --kernel-ref k2 other ") ||
		!strings.Contains(o.stderr, "banger-boot: k2: made by an older banger, its modules are no disk: the machine has none but those in its initrd\nhint: "+mend+"\n") {
		t.Errorf("exit %d, %s", o.code, o.stderr)
	}
	output(t, u.command("sh", "-c", mend))
	output(t, u.command("cmp", ".local/state/banger/kernels/k/modules.ext4", ".local/state/banger/kernels/k2/modules.ext4"))
	u.imageOfOlder(t)
	noLeftovers(t, u)
}

// older makes the modules of a kernel, or of an image, what an older banger made of
// them: a directory.
func (u user) older(t *testing.T, dir, record string) {
	t.Helper()
	output(t, u.command("sh", "-ec", `cd "$1"; mkdir modules; "$3" -R 'rdump / modules' modules.ext4; rmdir modules/lost+found; rm modules.ext4
		sed -i 's/"modules\.ext4"/"modules"/g' "$2"; grep -q '"modules"' "$2"`, "sh", dir, record, which("debugfs")))
}

// imageOfOlder uses the image app as if an older banger had published it.
func (u user) imageOfOlder(t *testing.T) {
	t.Helper()
	u.older(t, ".local/state/banger/images/app", "image.json")
	var r struct {
		Kernel struct{ Modules string }
	}
	if fromJSON(t, output(t, u.command("banger", "image", "show", "app")), &r); r.Kernel.Modules != "modules" {
		t.Errorf("%+v", r)
	}
	output(t, u.command("banger", "image", "lint", "app"))
	output(t, u.command("sh", "-c", "banger image initrd app >initrd"))
	o := finish(t, u.command("banger", "boot", "--keep", "disk", "--print", "firecracker", "app"))
	hints := hintsOf(o.stderr)
	if o.code != 0 || strings.Contains(o.stdout, "modules") || len(hints) != 1 {
		t.Fatalf("%+v", o)
	}
	output(t, u.command("sh", "-c", hints[0]))
	if o := finish(t, u.command("banger", "boot", "--keep", "disk", "--print", "firecracker", "app")); o.stderr != "" || !strings.Contains(o.stdout, "/images/app/modules.ext4") {
		t.Errorf("%+v", o)
	}
	u.older(t, ".local/state/banger/images/app", "image.json")
	output(t, u.command("banger", "image", "rm", "app"))
	if left := list(t, filepath.Join(u.home, ".local/state/banger/images")); !slices.Equal(left, []string{"other"}) {
		t.Errorf("left %q", left)
	}
}
