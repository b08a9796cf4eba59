// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bulk is how many bytes are sent each way.
const bulk = 100e6

// TestBulk sends as much both ways at once, over keys that the client has changed
// many times.
func TestBulk(t *testing.T) {
	h := serve(t, busybox(t))
	sent, came := sha256.New(), sha256.New()
	c := h.ssh("-o", "RekeyLimit=8M", "vm", "cat")
	c.Stdin = io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), bulk), sent)
	n := int64(0)
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	n, err = io.Copy(came, out)
	check(t, err)
	check(t, c.Wait())
	if n != bulk || string(sent.Sum(nil)) != string(came.Sum(nil)) {
		t.Errorf("%d bytes came back, %x; sent were %x", n, came.Sum(nil), sent.Sum(nil))
	}
}

// owner returns the owner and mode of a file.
func owner(t testing.TB, path string) string {
	t.Helper()
	var s unix.Stat_t
	check(t, unix.Lstat(path, &s))
	return fmt.Sprintf("%d:%d %o", s.Uid, s.Gid, s.Mode&0o7777)
}

// TestSFTP writes files as a user, into an image without any program.
func TestSFTP(t *testing.T) {
	need(t, "sftp", "scp")
	root := scratch(t)
	check(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	check(t, os.MkdirAll(filepath.Join(root, "home/user"), 0o755))
	check(t, os.Chown(filepath.Join(root, "home/user"), userID, userID+1))
	check(t, os.WriteFile(filepath.Join(root, "etc/passwd"), []byte(userPass), 0o644))
	check(t, os.WriteFile(filepath.Join(root, "secret"), nil, 0o600))
	h := serve(t, root)
	local := filepath.Join(h.dir, "local")
	check(t, os.WriteFile(local, []byte("text"), 0o666))
	check(t, os.Chmod(local, 0o666))
	c := h.command("sftp", "-o", "User=user", "-b", "-", "vm")
	c.Stdin = strings.NewReader("put " + local + " one\nmkdir dir\nput " + local + " dir/two\nchmod 640 dir/two\nrename one three\n" +
		"ln -s three link\nln three hard\nls -ln\npwd\nget three " + h.dir + "/back\n-get /secret " + h.dir + "/secret\n-put " + local + " /etc/four\n")
	stdout := output(t, c)
	if !strings.Contains(stdout, "Remote working directory: /home/user\n") {
		t.Error(stdout)
	}
	at := func(name string) string { return filepath.Join(root, "home/user", name) }
	for name, want := range map[string]string{"three": "4711:4712 644", "dir": "4711:4712 755", "dir/two": "4711:4712 640", "link": "4711:4712 777"} {
		if got := owner(t, at(name)); got != want {
			t.Errorf("%s: %s; want %s", name, got, want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(h.dir, "back")); string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := os.ReadFile(filepath.Join(h.dir, "secret")); err == nil {
		t.Errorf("read root's file: %q", text)
	}
	if _, err := os.Stat(filepath.Join(root, "etc/four")); err == nil {
		t.Error("wrote into root's directory")
	}
	output(t, h.command("scp", "-p", local, "user@vm:five"))
	if got := owner(t, at("five")); got != "4711:4712 666" {
		t.Errorf("scp -p: %s", got)
	}
	h.awaitNone()
}

// debian makes a root directory with programs of this system and their libraries.
func debian(t testing.TB, programs ...string) string {
	t.Helper()
	need(t, append(programs, "ldd")...)
	root := busybox(t)
	for _, p := range programs {
		copyProgram(t, p, root)
		path, err := exec.LookPath(p)
		check(t, err)
		for _, word := range strings.Fields(output(t, exec.Command("ldd", path))) {
			if strings.HasPrefix(word, "/") {
				copyFile(t, word, filepath.Join(root, word), 0o755)
			}
		}
	}
	return root
}

// TestRsync copies files with their owners, and as a user.
func TestRsync(t *testing.T) {
	need(t, "rsync")
	root := debian(t, "rsync")
	h := serve(t, root)
	from := filepath.Join(h.dir, "from")
	check(t, os.MkdirAll(filepath.Join(from, "dir"), 0o750))
	for i := range 20 {
		name := filepath.Join(from, "dir", fmt.Sprint(i))
		check(t, os.WriteFile(name, []byte(strings.Repeat(name, i)), 0o640))
		check(t, os.Chown(name, 1000+i, 2000+i))
	}
	shell := "ssh -F " + filepath.Join(h.dir, "config")
	output(t, exec.Command("rsync", "-a", "--numeric-ids", "-e", shell, from+"/", "vm:/data/"))
	if got := owner(t, filepath.Join(root, "data/dir/7")); got != "1007:2007 640" {
		t.Error(got)
	}
	back := filepath.Join(h.dir, "back")
	output(t, exec.Command("rsync", "-a", "--numeric-ids", "-e", shell, "vm:/data/", back))
	output(t, exec.Command("diff", "-r", from, back))
	output(t, exec.Command("rsync", "-r", "-e", shell+" -l user", from+"/", "vm:copy"))
	if got := owner(t, filepath.Join(root, "home/user/copy/dir/7")); got != "4711:4712 640" {
		t.Error(got)
	}
}

// TestOldSCP runs the image's scp, as scp did before it used sftp.
func TestOldSCP(t *testing.T) {
	need(t, "scp")
	root := debian(t, "scp")
	h := serve(t, root)
	output(t, h.command("scp", "-O", filepath.Join(h.dir, "id.pub"), "user@vm:key"))
	if got := owner(t, filepath.Join(root, "home/user/key")); got != "4711:4712 644" {
		t.Error(got)
	}
}
