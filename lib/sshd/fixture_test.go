// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

const helperName = "@session"

// TestMain ignores signals as a service does: sessions must not.
func TestMain(m *testing.M) {
	if os.Args[0] == helperName {
		os.Exit(RunHelper())
	}
	signal.Ignore(unix.SIGHUP, unix.SIGPIPE)
	os.Exit(m.Run())
}

// need skips the test if a program is missing or it is not run by root, or fails
// it if CI=true.
func need(t testing.TB, programs ...string) {
	t.Helper()
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	complaint := ""
	switch {
	case len(missing) > 0:
		complaint = fmt.Sprintf("missing: %s; scripts/deps --test installs them", strings.Join(missing, " "))
	case os.Getuid() != 0:
		complaint = "this test needs root"
	default:
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(complaint)
	}
	t.Skip(complaint)
}

// A host is a server for tests, and a directory with what its clients need.
type host struct {
	*Server
	t    testing.TB
	dir  string // for clients
	addr *net.TCPAddr
}

// serve starts a server whose sessions have a root directory. Each change is made
// before it serves.
func serve(t testing.TB, root string, changes ...func(*Server)) *host {
	t.Helper()
	need(t, "ssh")
	h := &host{t: t, dir: t.TempDir()}
	_, hostKey, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	signer, err := ssh.NewSignerFromKey(hostKey)
	check(t, err)
	h.Server = &Server{
		HostKey: signer,
		Keys:    []ssh.PublicKey{newKey(t, filepath.Join(h.dir, "id"))},
		Account: func(name string) (Account, error) {
			return FindAccount(name, openOrEmpty(root, "passwd"), openOrEmpty(root, "group"))
		},
		Helper:   []string{"/proc/self/exe", helperName},
		Env:      []string{"PATH=/bin:/usr/bin", "IMAGE=yes"},
		Root:     root,
		AgentDir: "/run/banger-test",
		Log:      logger(t),
	}
	for _, change := range changes {
		change(h.Server)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	h.addr = l.Addr().(*net.TCPAddr)
	served := make(chan struct{})
	go func() {
		h.Serve(l)
		close(served)
	}()
	t.Cleanup(func() {
		l.Close()
		<-served
	})
	h.config("id")
	return h
}

// logger logs to a test until that ends: connections may last longer.
func logger(t testing.TB) func(string, ...any) {
	var over atomic.Bool
	t.Cleanup(func() { over.Store(true) })
	return func(format string, args ...any) {
		if !over.Load() {
			t.Logf(format, args...)
		}
	}
}

// config writes a configuration for OpenSSH's client, with a key.
func (h *host) config(key string) {
	known := fmt.Sprintf("[127.0.0.1]:%d %s", h.addr.Port, ssh.MarshalAuthorizedKey(h.HostKey.PublicKey()))
	check(h.t, os.WriteFile(filepath.Join(h.dir, "known_hosts"), []byte(known), 0o600))
	check(h.t, os.WriteFile(filepath.Join(h.dir, "config"), fmt.Appendf(nil, `Host vm
HostName 127.0.0.1
Port %d
User root
IdentityFile %s
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile %s/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
BatchMode yes
LogLevel ERROR
`, h.addr.Port, filepath.Join(h.dir, key), h.dir), 0o600))
}

// command returns one of OpenSSH's programs with the configuration.
func (h *host) command(program string, args ...string) *exec.Cmd {
	return exec.Command(program, append([]string{"-F", filepath.Join(h.dir, "config")}, args...)...)
}

func (h *host) ssh(args ...string) *exec.Cmd { return h.command("ssh", args...) }

// newKey makes a key pair in a file, and file.pub.
func newKey(t testing.TB, file string) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	check(t, err)
	check(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	key, err := ssh.NewPublicKey(public)
	check(t, err)
	check(t, os.WriteFile(file+".pub", ssh.MarshalAuthorizedKey(key), 0o644))
	return key
}

// openOrEmpty opens a file in /etc of a root directory, or none.
func openOrEmpty(root, name string) *bytes.Reader {
	text, err := os.ReadFile(filepath.Join(root, "etc", name))
	if err != nil {
		text = nil
	}
	return bytes.NewReader(text)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// output runs a command that succeeds and returns its standard output.
func output(t testing.TB, c *exec.Cmd) string {
	t.Helper()
	text, stderr, status := run(t, c)
	if status != 0 {
		t.Fatalf("%q: exit status %d\n%s%s", c.Args, status, text, stderr)
	}
	return text
}

// run runs a command to its end.
func run(t testing.TB, c *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, err bytes.Buffer
	c.Stdout, c.Stderr = &out, &err
	switch e := c.Run().(type) {
	case nil, *exec.ExitError:
	default:
		t.Fatal(e)
	}
	return out.String(), err.String(), c.ProcessState.ExitCode()
}

// Users of the trees.
const (
	userID   = 4711
	userPass = "user:x:4711:4712:A User:/home/user:/bin/sh\n"
	passwd   = "root:x:0:0:root:/root:/bin/sh\n" + userPass + "sly:x:4713:4713::/:/usr/sbin/nologin\n"
	group    = "root:x:0:\ntty:x:5:\nuser:x:4712:\nstaff:x:50:nobody,user\n"
)

// busybox makes a root directory with busybox, a passwd and a group file.
func busybox(t testing.TB) string {
	t.Helper()
	need(t, "busybox")
	root := t.TempDir()
	for _, dir := range []string{"bin", "etc", "root", "home/user", "dev", "data"} {
		check(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	check(t, os.Chmod(filepath.Dir(root), 0o755))
	for minor, name := range map[int]string{3: "null", 5: "zero"} {
		check(t, unix.Mknod(filepath.Join(root, "dev", name), unix.S_IFCHR|0o666, int(unix.Mkdev(1, uint32(minor)))))
		check(t, os.Chmod(filepath.Join(root, "dev", name), 0o666))
	}
	check(t, os.Chown(filepath.Join(root, "home/user"), userID, userID+1))
	copyProgram(t, "busybox", root)
	for _, name := range strings.Fields("sh cat echo id env stty tty sleep kill true false head sha256sum pwd wc printf ls ps mkdir nc tr dd stat yes touch rm uname") {
		check(t, os.Symlink("busybox", filepath.Join(root, "bin", name)))
	}
	check(t, os.WriteFile(filepath.Join(root, "etc/passwd"), []byte(passwd), 0o644))
	check(t, os.WriteFile(filepath.Join(root, "etc/group"), []byte(group), 0o644))
	return root
}

// scratch makes a root directory with one program, /probe.
func scratch(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	check(t, os.Chmod(filepath.Dir(root), 0o755))
	build := exec.Command("go", "build", "-o", filepath.Join(root, "probe"), "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output(t, build)
	return root
}

// copyProgram copies a program into /bin of a root directory.
func copyProgram(t testing.TB, name, root string) {
	t.Helper()
	path, err := exec.LookPath(name)
	check(t, err)
	copyFile(t, path, filepath.Join(root, "bin", name), 0o755)
}

func copyFile(t testing.TB, from, to string, mode fs.FileMode) {
	t.Helper()
	text, err := os.ReadFile(from)
	check(t, err)
	check(t, os.MkdirAll(filepath.Dir(to), 0o755))
	check(t, os.WriteFile(to, text, mode))
}

func keygen(kind, file string) *exec.Cmd {
	return exec.Command("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", file)
}

// dial returns a client of golang.org/x/crypto/ssh, for what OpenSSH's does not do.
func (h *host) dial(user string) *ssh.Client {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "id"))
	check(h.t, err)
	key, err := ssh.ParsePrivateKey(text)
	check(h.t, err)
	c, err := ssh.Dial("tcp", h.addr.String(), &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(h.HostKey.PublicKey()),
	})
	check(h.t, err)
	h.t.Cleanup(func() { c.Close() })
	return c
}

// processes returns those whose root directory is the server's sessions'.
func (h *host) processes() (found []string) {
	all, err := filepath.Glob("/proc/[0-9]*/root")
	check(h.t, err)
	for _, link := range all {
		if root, err := os.Readlink(link); err == nil && root == h.Root {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline"))
			found = append(found, filepath.Base(filepath.Dir(link))+" "+string(line))
		}
	}
	return found
}

// awaitNone waits until the server's sessions have no processes.
func (h *host) awaitNone() {
	h.t.Helper()
	until(h.t, "the sessions have ended", func() bool { return len(h.processes()) == 0 })
}

// until waits until something is true.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in a minute: %s", what)
		}
	}
}
