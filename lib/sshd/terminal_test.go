// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A desk is a terminal of the test, on which a client runs.
type desk struct {
	*terminal
	lines *bufio.Reader
	t     testing.TB
}

// sit starts a command on a new terminal.
func sit(t testing.TB, c *exec.Cmd, columns, rows uint32) *desk {
	t.Helper()
	own := &conn{account: Account{}, Server: &Server{}}
	term, err := own.openTerminal(terminalRequest{size: size{Columns: columns, Rows: rows}})
	check(t, err)
	t.Cleanup(term.close)
	c.Stdin, c.Stdout, c.Stderr = term.slave, term.slave, term.slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	check(t, c.Start())
	term.closeSlave()
	term.master.SetReadDeadline(time.Now().Add(time.Minute))
	return &desk{term, bufio.NewReader(term.master), t}
}

func (d *desk) write(text string) {
	_, err := io.WriteString(d.master, text)
	check(d.t, err)
}

// await reads until a text comes.
func (d *desk) await(text string) {
	d.t.Helper()
	var got strings.Builder
	for !strings.HasSuffix(got.String(), text) {
		c, err := d.lines.ReadByte()
		if err != nil {
			d.t.Fatalf("no %q in %q: %v", text, got.String(), err)
		}
		got.WriteByte(c)
	}
}

func TestTerminal(t *testing.T) {
	h := serve(t, busybox(t), func(s *Server) { s.TTYGroup = 5 })
	c := h.ssh("-tt", "-l", "user", "vm")
	c.Env = append(os.Environ(), "TERM=vt220")
	d := sit(t, c, 91, 37)
	d.await("$ ")
	d.write("echo [$(stty size)] [$TERM] [$-]\n")
	d.await("[37 91] [vt220] [")
	d.await("i")
	d.write("ls -lnL /proc/self/fd/0 2>/dev/null; echo ${SSH_TTY%/*}\n")
	d.await("\n/dev/pts\r\n")

	check(t, d.resize(size{Columns: 101, Rows: 41}))
	d.write("until [ \"$(stty size)\" = '41 101' ]; do :; done; echo resi''zed\n")
	d.await("resized")

	d.write("echo rea''dy; cat\n")
	d.await("ready\r\n")
	d.write("echoed\n")
	d.await("echoed\r\nechoed\r\n")
	d.write("\x03") // Ctrl-C
	d.await("$ ")
	d.write("exit 9\n")
	if c.Wait(); c.ProcessState.ExitCode() != 9 {
		t.Errorf("exit status %d", c.ProcessState.ExitCode())
	}
}

// TestTerminalOwner looks at the terminal's file from outside the session.
func TestTerminalOwner(t *testing.T) {
	h := serve(t, busybox(t), func(s *Server) { s.TTYGroup = 5 })
	d := sit(t, h.ssh("-tt", "-l", "user", "vm", "echo at:$SSH_TTY:; cat"), 80, 24)
	d.await("at:")
	path, err := d.lines.ReadString(':')
	check(t, err)
	var s unix.Stat_t
	check(t, unix.Stat(strings.TrimSuffix(path, ":"), &s))
	if got, want := fmt.Sprintf("%d:%d %o", s.Uid, s.Gid, s.Mode&0o777), "4711:5 620"; got != want {
		t.Errorf("%s; want %s", got, want)
	}
	d.write("\x04")
}

// TestTerminalModes takes over modes of the client's terminal.
func TestTerminalModes(t *testing.T) {
	h := serve(t, busybox(t))
	c := h.ssh("-tt", "vm", "stty -a; echo en''d")
	d := sit(t, exec.Command("sh", append([]string{"-c", `stty intr ^G ixany -echoe; exec "$@"`, "sh"}, c.Args...)...), 80, 24)
	d.await("intr = ^G;")
	d.await(" ixany")
	d.await("-echoe ")
	d.await("end")
}

// TestTerminalBackground ends with the shell, though a process has the terminal.
func TestTerminalBackground(t *testing.T) {
	h := serve(t, busybox(t))
	c := h.ssh("-tt", "vm", "trap '' HUP; sleep 1000 & echo $!; head -c 200000 /dev/zero | tr '\\0' x; echo; exit 4")
	c.Stdin = strings.NewReader("")
	stdout, _, status := run(t, c)
	if status != 4 || strings.Count(stdout, "x") != 200000 {
		t.Errorf("status %d, %d bytes: %.200q", status, strings.Count(stdout, "x"), stdout)
	}
	var pid int
	fmt.Sscan(stdout, &pid)
	if pid > 1 {
		unix.Kill(pid, unix.SIGKILL)
	}
}
