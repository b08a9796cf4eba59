// SPDX-License-Identifier: Apache-2.0

package test

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A trial is an image to boot, and what must come of it.
type trial struct {
	image  image
	size   string // of the filesystem, 400M if ""
	status string // the guest's, once it is ready
	shows  string // on the console before up; of an init, a line of that
	up     string // shown in the usual state, upLine if ""
	typed  string // on the console then; if "", banger boot gets a SIGTERM
	code   int    // the exit status, if something is typed
	ends   string // shown at the end
	login  *login // then, if not nil

	// What the first boot of a command adds to the disk: "dir", the target of a
	// symlink, or "tree" for a directory with whatever is in it, by path. What an
	// init adds is not checked.
	added map[string]string

	// Another boot of the disk that the first one has left.
	again []string // arguments of banger boot before and after the image's name
	exits int
	says  string // the end of the console
}

// upLine is what most guests show in their usual state.
const upLine = "==> up\n"

// TestGuests boots images of all kinds, of inits and of commands. The guest says
// that it is ready and what it runs, and ends in order. Its disk passes e2fsck,
// has changed only as it may, and boots once more. The published image does not
// change.
func TestGuests(t *testing.T) {
	need(t, "qemu-system-x86_64", "e2fsck", "debugfs", "umoci", "busybox", "ssh", "scp", "sftp", "rsync", "curl", "script")
	if runtime.GOARCH != "amd64" {
		t.Skip("the guests are amd64")
	}
	u := newUser(t, known)
	u.addKernel(t, "debian-6.12", kernel612)
	r := newGuestImages(t)
	t.Run("image", func(t *testing.T) {
		for name, try := range map[string]func(*testing.T, user){
			"scratch": r.scratch, "busybox": r.busybox, "busybox-init": r.busyboxInit, "alpine": r.alpine,
			"minbase": r.minbase, "s6": r.s6, "numeric": r.numeric, "odd": r.odd, "many": r.many, "read-only": r.readOnly,
			"systemd-252": r.systemd252, "systemd-257": r.systemd257, "sysvinit": r.sysvinit, "openrc": r.openrc, "runit": r.runit,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				machines <- struct{}{}
				defer func() { <-machines }()
				try(t, u)
			})
		}
	})
	noLeftovers(t, u)
}

// machines limits how many machines run at the same time.
var machines = make(chan struct{}, 2)

// try publishes an image and boots it twice.
func (u user) try(t *testing.T, c trial) {
	t.Helper()
	name := c.image.tag
	master := u.publishLayout(t, c.image, cmp.Or(c.size, "400M"))
	disk := filepath.Join(u.home, name+".disk")
	defer os.Remove(disk)
	u.firstBoot(t, name, disk, c)
	fsck(t, disk)
	if c.login != nil {
		u.checkLogins(t, name, disk, *c.login)
	}
	if c.added != nil {
		t.Run("changes", func(t *testing.T) { sameDisk(t, disk, master, c.added) })
	}
	o := patiently(t, u.command("banger", append([]string{"boot", "-q", "--keep", disk}, c.again...)...))
	if shown := unixLines(o.stdout); o.code != c.exits || !strings.HasSuffix(shown, c.says) {
		t.Errorf("the second boot: exit %d, want %d; %s\nconsole:\n%swant\n%s", o.code, c.exits, o.stderr, shown, c.says)
	}
	fsck(t, disk)
	var r record
	fromJSON(t, read(t, filepath.Join(filepath.Dir(master), "image.json")), &r)
	if now := hash(t, master); now != r.Ext4.SHA256 {
		t.Errorf("the published image changed: %s, was %s", now, r.Ext4.SHA256)
	}
}

// publishLayout publishes an image of a layout under its tag, and returns the
// path of its filesystem.
func (u user) publishLayout(t *testing.T, i image, size string) string {
	t.Helper()
	dir := output(t, u.command("sh", "-c", `banger-flatten -o "$1.bundle" "$2" | banger-mkext4 --size "$3" |
		banger-register --name "$1" --kernel-ref debian-6.12 && rm -r "$1.bundle"`, "sh", i.tag, i.String(), size))
	return filepath.Join(dir, "rootfs.ext4")
}

// firstBoot boots an image, checks it in its usual state, and ends it.
func (u user) firstBoot(t *testing.T, name, disk string, c trial) {
	t.Helper()
	m := startBoot(t, u.command("banger", "boot", "-q", "--keep", disk, name))
	shown := m.await(cmp.Or(c.up, upLine))
	ready, status, runs := u.listed(t, name)
	for runs && !ready {
		ready, status, runs = u.listed(t, name)
	}
	if !ready || status != c.status {
		t.Errorf("ready: %v, status: %s\nwant %s", ready, status, c.status)
	}
	if c.added != nil && c.shows != "" && shown != "banger-init: "+c.status+"\n"+c.shows+cmp.Or(c.up, upLine) || !strings.Contains(shown, c.shows) {
		t.Errorf("the console shows\n%s\nwant\n%s", shown, c.shows)
	}
	if c.login != nil {
		t.Run("login", func(t *testing.T) { u.logsIn(t, name, *c.login) })
	}
	if c.typed != "" {
		m.types(c.typed)
	} else {
		c.code = 128 + int(syscall.SIGTERM)
		m.cmd.Process.Signal(syscall.SIGTERM)
	}
	if rest, code := m.end(); code != c.code || !strings.Contains(rest, c.ends) || t.Failed() {
		t.Errorf("exit %d, want %d; %s\nconsole:\n%s%s\nwant %q", code, c.code, m.stderr.String(), shown, rest, c.ends)
	}
}

// listed returns what banger machine list knows of a machine that runs.
func (u user) listed(t *testing.T, name string) (ready bool, status string, runs bool) {
	t.Helper()
	for line := range strings.Lines(output(t, u.command("banger", "machine", "list", "--json"))) {
		var m struct {
			Name, Status string
			Ready        bool
		}
		if fromJSON(t, line, &m); m.Name == name {
			return m.Ready, m.Status, true
		}
	}
	return false, "", false
}
