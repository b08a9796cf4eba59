// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// openTerminal opens the console's terminal: /dev/console itself cannot be a
// controlling terminal (console(4)). A raw one does not translate output or echo
// input, for a program at the other end.
func openTerminal(raw bool) (*os.File, error) {
	path := "/dev/console"
	active, _ := os.ReadFile("/sys/class/tty/console/active")
	if names := strings.Fields(string(active)); len(names) > 0 {
		path = "/dev/" + names[len(names)-1]
	}
	tty, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err == nil && raw {
		setTerminal(tty, unix.OPOST, unix.ECHO)
	}
	return tty, err
}

// setTerminal clears output and local flags (termios(3)).
func setTerminal(tty *os.File, output, local uint32) error {
	fd := int(tty.Fd())
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Oflag &^= output
	t.Lflag &^= local
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
