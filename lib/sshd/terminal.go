// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// A terminal is a pseudo-terminal (pty(7)): the server reads and writes master,
// and the session's processes have slave.
type terminal struct {
	kind          string // TERM
	name          string // of the file
	master, slave *os.File
}

// A size is of a terminal, in characters and pixels.
type size struct{ Columns, Rows, Width, Height uint32 }

// A terminalRequest is what a pty-req request asks for (RFC 4254, section 6.2).
type terminalRequest struct {
	kind  string
	size  size
	modes []mode
}

// maxKind is how many bytes the name of a kind of terminal may have.
const maxKind = 256

func parseTerminalRequest(payload []byte) (r terminalRequest, ok bool) {
	var raw struct {
		Term                         string
		Columns, Rows, Width, Height uint32
		Modes                        string
	}
	if ssh.Unmarshal(payload, &raw) != nil || len(raw.Term) > maxKind || strings.IndexByte(raw.Term, 0) >= 0 {
		return r, false
	}
	return terminalRequest{raw.Term, size{raw.Columns, raw.Rows, raw.Width, raw.Height}, parseModes(raw.Modes)}, true
}

// parseSize reads what a window-change request holds (RFC 4254, section 6.7).
func parseSize(payload []byte) (s size, ok bool) {
	return s, ssh.Unmarshal(payload, &s) == nil
}

// openTerminal opens a terminal for the user. Its slave is opened without a path:
// the session's root directory may be another, and /dev/pts not in it.
func (c *conn) openTerminal(r terminalRequest) (*terminal, error) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t := &terminal{kind: r.kind, master: master}
	err = t.control(func(fd int) error {
		number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
		if err != nil {
			return err
		}
		t.name = fmt.Sprintf("/dev/pts/%d", number)
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		slave, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
		if errno != 0 {
			return errno
		}
		t.slave = os.NewFile(slave, t.name)
		return nil
	})
	if err == nil {
		err = c.setUpTerminal(t, r)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (c *conn) setUpTerminal(t *terminal, r terminalRequest) error {
	group := -1
	if c.TTYGroup > 0 {
		group = c.TTYGroup
		if err := t.slave.Chmod(0o620); err != nil {
			return err
		}
	}
	if err := t.slave.Chown(c.account.UID, group); err != nil {
		return err
	}
	t.resize(r.size)
	return setModes(int(t.slave.Fd()), r.modes)
}

// resize sets the size, which signals the processes in the foreground. The kernel
// holds 16 bits of each.
func (t *terminal) resize(s size) error {
	return t.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{
			Row: clamp(s.Rows), Col: clamp(s.Columns), Xpixel: clamp(s.Width), Ypixel: clamp(s.Height),
		})
	})
}

func clamp(n uint32) uint16 { return uint16(min(n, 1<<16-1)) }

// foreground returns the process group that the terminal's keys signal.
func (t *terminal) foreground() (group int, err error) {
	err = t.control(func(fd int) error {
		group, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		return err
	})
	return group, err
}

// control calls f with the descriptor of the master, which stays nonblocking.
func (t *terminal) control(f func(fd int) error) error {
	raw, err := t.master.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := raw.Control(func(fd uintptr) { result = f(int(fd)) }); err != nil {
		return err
	}
	return result
}

// close closes the terminal. The kernel sends SIGHUP to its session.
func (t *terminal) close() {
	t.master.Close()
	t.closeSlave()
}

func (t *terminal) closeSlave() {
	if t.slave != nil {
		t.slave.Close()
	}
}
