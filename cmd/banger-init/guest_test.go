// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// TestMain lets the test program be what banger-init is: process 1 of a
// namespace that has what a guest has once its root is entered, the agent, the
// launcher.
func TestMain(m *testing.M) {
	if status, ok := another(); ok {
		os.Exit(status)
	}
	if text := os.Getenv("BANGER_TEST_GUEST"); text != "" {
		beProcess1(text)
	}
	if os.Getenv("BANGER_TEST_DHCP") != "" {
		os.Exit(beDHCPClient())
	}
	os.Exit(m.Run())
}

// A box is a guest without a machine: namespaces and a root filesystem of the
// host's programs and the files of a test.
type box struct {
	Config      v1.ImageConfig
	Wishes      guest.Machine
	Line        cmdline
	Files       map[string]string // content by path; "#!" or "x:" makes a program, "-> " a symlink
	Bare        bool              // no programs but the loader
	Credentials []guest.Credential
	Kernel      []string // words that the kernel leaves to the init

	Root, Console, Port string // set by run; the latter are terminals
	HostPIDs            string
}

// An outcome is what came of a box.
type outcome struct {
	status  []string // the status lines
	console string   // what the command has written, where a terminal has \r\n with \n
	said    string   // what banger-init has
	disk    string   // of a build
	noKeys  bool     // the last STATUS ended in noKeys, which is left out above
}

// run runs a box to its end. on, if not nil, is called for each status line,
// with the console and the process id of process 1 seen from the host.
func (b box) run(t *testing.T, on func(line string, console *os.File, init int)) (o outcome) {
	t.Helper()
	needNamespaces(t)
	console, consolePath := openPTY(t)
	port, portPath := openPTY(t)
	b.Root, b.Console, b.Port = t.TempDir(), consolePath, portPath
	if b.Wishes.Build {
		mountTmpfs(t, b.Root)
		o.disk = b.Root
	}
	var said bytes.Buffer
	cmd := b.command(t, &said)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	shown, reported := make(chan string), make(chan struct{})
	go func() { shown <- readPTY(console, func(string) {}) }()
	go func() {
		defer close(reported)
		readPTY(port, func(line string) {
			if strings.HasPrefix(line, guest.StatusText) {
				line, o.noKeys = strings.CutSuffix(line, noKeys)
			}
			o.status = append(o.status, line)
			if on != nil {
				on(line, console, childOf(cmd.Process.Pid))
			}
		})
	}()
	cmd.Wait() // its status is that of reboot(2) in a namespace
	if !over.Stop() {
		t.Error("not ended after a minute")
	}
	markEnd(consolePath)
	markEnd(portPath)
	<-reported
	o.console, o.said = <-shown, strings.ReplaceAll(said.String(), noKeys, "")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("status %q\nconsole %q\nsaid %s", o.status, o.console, o.said)
		}
	})
	return o
}

// mountTmpfs mounts a filesystem that lives until the end of the test.
func mountTmpfs(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// command is the test program as process 1 of namespaces.
func (b box) command(t *testing.T, said io.Writer) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if b.HostPIDs, err = os.Readlink("/proc/self/ns/pid"); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--pid", "--fork", "--kill-child", "--mount", "--net", "--uts", "--ipc", "--cgroup", self}
	cmd := exec.Command("unshare", append(args, b.Kernel...)...)
	cmd.Env = []string{"BANGER_TEST_GUEST=" + string(text), "TERM=vt220"}
	cmd.Stdout, cmd.Stderr = said, said
	return cmd
}

// endMark is written to a terminal to tell its reader that no more comes.
const endMark = "\x00end\x00"

func markEnd(path string) {
	if f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY, 0); err == nil {
		f.WriteString(endMark)
		f.Close()
	}
}

// readPTY returns what is written to a terminal up to the mark, and calls a
// function for each line as it comes.
func readPTY(f *os.File, on func(line string)) string {
	var all []byte
	told := 0 // bytes of lines that on has been called for
	b := make([]byte, 4096)
	for {
		n, err := f.Read(b)
		all = append(all, b[:n]...)
		for end := bytes.IndexByte(all[told:], '\n'); end >= 0; end = bytes.IndexByte(all[told:], '\n') {
			on(strings.TrimSuffix(string(all[told:told+end]), "\r"))
			told += end + 1
		}
		if before, _, ended := bytes.Cut(all, []byte(endMark)); ended || err != nil {
			return strings.ReplaceAll(string(before), "\r\n", "\n")
		}
	}
}

// openPTY returns the host's side of a terminal, and the path of the other. That
// is held open, so that the terminal is not hung up between two users.
func openPTY(t *testing.T) (*os.File, string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/dev/pts/%d", n)
	slave, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(uintptr(fd), "pty")
	t.Cleanup(func() { slave.Close(); master.Close() })
	return master, path
}

func childOf(pid int) (child int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	fmt.Sscan(string(text), &child)
	return child
}

// beProcess1 prepares the root of a box and does what banger-init does from
// there on.
func beProcess1(text string) {
	var b box
	err := json.Unmarshal([]byte(text), &b)
	// All below may be done in namespaces of its own only: to end the machine
	// would end the host.
	if here, _ := os.Readlink("/proc/self/ns/pid"); err != nil || os.Getpid() != 1 || here == b.HostPIDs || b.HostPIDs == "" {
		fmt.Fprintln(os.Stderr, "not in a namespace:", err)
		os.Exit(1)
	}
	os.Unsetenv("BANGER_TEST_GUEST")
	surviveSignals()
	if err := b.furnish(); err != nil {
		fmt.Fprintln(os.Stderr, "box:", err)
		os.Exit(1)
	}
	m := &machine{line: b.Line, config: b.Config, wishes: b.Wishes, credentials: b.Credentials}
	if m.line == nil {
		m.line = cmdline{}
	}
	if b.Wishes.Build {
		m.original = newOriginal("/", b.Config.WorkingDir)
		m.original.hide("/")
	}
	mountRun()
	if err := provideCredentials(systemCredentials, b.Credentials); err != nil {
		say("credentials: %v", err)
	}
	m.end(m.run())
}

// furnish makes the root of a box, on a tmpfs of its own unless it is a build's, and
// enters it.
func (b box) furnish() error {
	if !b.Wishes.Build {
		if err := unix.Mount("tmpfs", b.Root, "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
	}
	if err := os.Chdir(b.Root); err != nil {
		return err
	}
	for _, dir := range []string{"dev", "proc", "sys", "run", "usr", "etc", "tmp", "root"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	os.Chmod("tmp", 0o1777)
	if b.Wishes.Build { // leaveRoot takes it along
		if err := unix.Mount("tmpfs", "dev", "tmpfs", 0, "mode=755"); err != nil {
			return err
		}
	}
	links := []string{"lib", "lib64"}
	if !b.Bare {
		links = append(links, "bin") // in /sbin there may be an init
	}
	if err := unix.Mount("/usr", "usr", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	for _, name := range links {
		os.Symlink("usr/"+name, name)
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "urandom": 9} {
		if err := unix.Mknod("dev/"+name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			return err
		}
		os.Chmod("dev/"+name, 0o666)
	}
	os.WriteFile("printk", nil, 0o644)
	if err := unix.Mount("proc", "proc", "proc", 0, ""); err != nil {
		return err
	}
	for target, source := range map[string]string{"dev/console": b.Console, "dev/ttyS1": b.Port, "proc/sys/kernel/printk": "printk"} {
		if strings.HasPrefix(target, "dev/") {
			os.WriteFile(target, nil, 0o600)
		}
		if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
	}
	for name, content := range b.Files {
		if err := place(filepath.Join(b.Root, name), content); err != nil {
			return err
		}
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return os.Chdir("/")
}

func place(file, content string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	os.Remove(file)
	if target, link := strings.CutPrefix(content, "-> "); link {
		return os.Symlink(target, file)
	}
	mode := fs.FileMode(0o644)
	content, program := strings.CutPrefix(content, "x:")
	if program || strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	return os.WriteFile(file, []byte(content), mode)
}

// needNamespaces skips a test where it cannot make namespaces, and fails it where
// nothing may be skipped.
func needNamespaces(t *testing.T) {
	t.Helper()
	cmd := exec.Command("unshare", "--pid", "--fork", "--mount", "--net", "--uts", "--ipc", "--cgroup", "true")
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil && os.Getuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatalf("unshare: %v, %s; as user %d", err, out, os.Getuid())
	default:
		t.Skipf("unshare: %v, %s; as user %d", err, out, os.Getuid())
	}
}

// mayRaise reports whether this process may raise limits, as process 1 of a
// machine may: CAP_SYS_RESOURCE (capabilities(7)).
func mayRaise() bool {
	text, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(text), "\nCapEff:\t")
	have, err := strconv.ParseUint(strings.SplitN(rest, "\n", 2)[0], 16, 64)
	return err == nil && have&(1<<unix.CAP_SYS_RESOURCE) != 0
}
