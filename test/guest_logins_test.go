// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A login is how one logs in to a machine while its image is up: as root, and as
// another user.
type login struct {
	user     string // a name in the image's passwd, or a number
	uid, gid int    // of what the user makes
	shell    bool   // the image has one, and id(1) and stty(1); else it has /app
	rsync    bool   // the image has it
}

// A guestLogin is a login to one machine. Its files on the host are in dir.
type guestLogin struct {
	login
	u             user
	t             *testing.T
	name          string
	config, dir   string
	content, tree string // a file to copy, and a directory for rsync
}

// logsIn logs in to a machine that runs, with OpenSSH. What it copies is left in
// /logins.
func (u user) logsIn(t *testing.T, name string, how login) {
	t.Helper()
	l := &guestLogin{login: how, u: u, t: t, name: name, config: u.machineFile(name, "ssh_config"), dir: u.loginDir(name)}
	l.content, l.tree = filepath.Join(l.dir, "here"), filepath.Join(l.dir, "tree")
	output(t, u.command("mkdir", l.dir))
	l.write(l.content, 0o640, int(u.id))
	l.commands()
	if l.shell {
		l.terminal("root", 0)
		l.terminal(l.user, l.uid)
	}
	l.copies()
	if l.rsync {
		l.rsyncs()
	}
	l.forwards()
}

func (u user) loginDir(name string) string { return filepath.Join(u.home, name+"-logins") }

// write writes a file that is someone's.
func (l *guestLogin) write(path string, mode os.FileMode, id int) {
	l.t.Helper()
	if err := os.WriteFile(path, bytes.Repeat([]byte("all\x00 bytes\xff"), 1000), mode); err != nil {
		l.t.Fatal(err)
	}
	if os.Getuid() != 0 {
		return
	}
	if err := os.Chown(path, id, id); err != nil {
		l.t.Fatal(err)
	}
}

// command returns one of OpenSSH's programs.
func (l *guestLogin) command(program string, args ...string) *exec.Cmd {
	cmd := l.u.command(program, append([]string{"-F", l.config}, args...)...)
	cmd.Dir = l.dir
	return cmd
}

// commands: a command has its user and its exit status, with a shell and without.
func (l *guestLogin) commands() {
	for user, uid := range map[string]int{"root": 0, l.user: l.uid} {
		text, want := "/app 'two words'", "[/app two words]\n"
		if l.shell {
			text, want = "id -u; exit 42", fmt.Sprintf("%d\n", uid)
		}
		if o := finish(l.t, l.command("ssh", user+"@"+l.name, text)); o.code != 42 || o.stdout != want {
			l.t.Errorf("%s: exit %d, %q, not %q; %s", user, o.code, o.stdout, want, o.stderr)
		}
	}
}

// terminal: an interactive shell has a terminal of the size of the user's.
func (l *guestLogin) terminal(user string, uid int) {
	prompt := "# "
	if uid != 0 {
		prompt = "$ "
	}
	shown, said, code := l.u.types(l.t, "ssh -F "+l.config+" "+user+"@"+l.name, prompt, "unset HISTFILE; echo is $(stty size) $(id -u); exit 3\n") // bash would write root's history
	if want := fmt.Sprintf("is 30 90 %d\n", uid); code != 3 || !strings.Contains(shown, want) {
		l.t.Errorf("%s: exit %d, %q; %s", user, code, shown, said)
	}
}

// types runs a client in a terminal of 30 rows and 90 columns, and types text at the
// prompt of the shell that it starts.
func (u user) types(t *testing.T, client, prompt, text string) (shown, stderr string, code int) {
	t.Helper()
	shell := startBoot(t, u.command("script", "-qec", "stty rows 30 cols 90; exec "+client, "/dev/null"))
	shell.await(prompt)
	shell.types(text)
	shown, code = shell.end()
	return shown, shell.stderr.String(), code
}

// copies: scp and sftp copy both ways, and only where the user may write.
func (l *guestLogin) copies() {
	batch := func(user, text string) {
		cmd := l.command("sftp", "-q", "-b", "-", user+"@"+l.name)
		cmd.Stdin = strings.NewReader(text)
		output(l.t, cmd)
	}
	batch("root", fmt.Sprintf("mkdir /logins\nput here /logins/root\nget /logins/root back\nmkdir /logins/other\nchown %d /logins/other\nchgrp %d /logins/other\n", l.uid, l.gid))
	batch(l.user, "put here /logins/other/sftp\n-put here /logins/denied\n")
	output(l.t, l.command("scp", "-q", "here", l.user+"@"+l.name+":/logins/other/scp"))
	output(l.t, l.command("scp", "-q", l.user+"@"+l.name+":/logins/other/scp", "back2"))
	for _, back := range []string{"back", "back2"} {
		output(l.t, exec.Command("cmp", l.content, filepath.Join(l.dir, back)))
	}
}

// rsyncs: rsync copies owners as root, both ways, and files as their user.
func (l *guestLogin) rsyncs() {
	if err := os.Mkdir(l.tree, 0o755); err != nil {
		l.t.Fatal(err)
	}
	for i := range 3 {
		l.write(filepath.Join(l.tree, fmt.Sprint(i)), 0o644, 1000+i)
	}
	ssh := "ssh -F " + l.config
	for _, args := range [][]string{
		{"-a", "--numeric-ids", "tree/", "root@" + l.name + ":/logins/rsync"},
		{"-a", "root@" + l.name + ":/logins/rsync/", "rsynced"},
		{"-r", "--chmod=F600", "tree/", l.user + "@" + l.name + ":/logins/other/rsync"},
	} {
		cmd := l.u.command("rsync", append([]string{"-e", ssh}, args...)...)
		cmd.Dir = l.dir
		output(l.t, cmd)
	}
	output(l.t, exec.Command("diff", "-r", l.tree, filepath.Join(l.dir, "rsynced")))
}

// forwards: a connection goes from the host to the guest by a local forward, and
// back to the host by a remote one: to a port as root, to a socket as another
// user. The image needs no server.
func (l *guestLogin) forwards() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "from the host") }))
	defer s.Close()
	for user, at := range map[string]string{"root": "127.0.0.1:8081", l.user: "/dev/shm/forward"} {
		cmd := l.u.command("sh", "-ec", `ssh -F "$1" -f -N -M -S control -o ExitOnForwardFailure=yes -R "$2:$3" -L "$PWD/socket-$5:$2" "$4" >/dev/null
			curl -s --unix-socket "socket-$5" http://guest/
			ssh -F "$1" -S control -O exit "$4" 2>/dev/null`, "sh", l.config, at, s.Listener.Addr().String(), user+"@"+l.name, user)
		cmd.Dir = l.dir
		o := finish(l.t, cmd)
		if o.code != 0 || o.stdout != "from the host" {
			l.t.Errorf("%s: exit %d, %q; %s", user, o.code, o.stdout, o.stderr)
		}
	}
}

// checkLogins checks what logins have left on a disk whose machine has ended.
func (u user) checkLogins(t *testing.T, name, disk string, l login) {
	t.Helper()
	other := fmt.Sprintf("%d:%d", l.uid, l.gid)
	root, others := []string{"root 100640 0:0", "other 40755 " + other}, []string{"sftp 100640 " + other, "scp 100640 " + other}
	if l.rsync {
		tree := filepath.Join(u.loginDir(name), "tree")
		root, others = append(root, "rsync 40755 "+ownerOf(t, tree)), append(others, "rsync 40755 "+other)
		var theirs, own []string
		for i := range 3 {
			theirs = append(theirs, fmt.Sprintf("%d 100644 %s", i, ownerOf(t, filepath.Join(tree, fmt.Sprint(i)))))
			own = append(own, fmt.Sprintf("%d 100600 %s", i, other))
		}
		sameLines(t, "rsync as root", listDisk(t, disk, "/logins/rsync"), theirs)
		sameLines(t, "rsync as "+l.user, listDisk(t, disk, "/logins/other/rsync"), own)
	}
	sameLines(t, "/logins", listDisk(t, disk, "/logins"), root)
	sameLines(t, "/logins/other", listDisk(t, disk, "/logins/other"), others)
}

func ownerOf(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

// listDisk lists a directory on a disk, by debugfs: names, modes and owners.
func listDisk(t *testing.T, disk, dir string) (lines []string) {
	t.Helper()
	for line := range strings.Lines(output(t, exec.Command(which("debugfs"), "-R", "ls -l "+dir, disk))) {
		f := strings.Fields(line) // inode mode (type) uid gid size date time name
		if len(f) == 9 && f[8] != "." && f[8] != ".." {
			lines = append(lines, fmt.Sprintf("%s %s %s:%s", f[8], f[1], f[3], f[4]))
		}
	}
	return lines
}

// sameLines compares lines in any order.
func sameLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
