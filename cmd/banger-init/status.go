// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// statusAddress returns where status lines go: the address that the kernel
// parameter gives, else the serial port.
func statusAddress(line cmdline) string {
	return line.or(guest.NotifyParameter, guest.StatusPort)
}

// send writes status lines to an address, and returns once they are through.
// It is no error if the machine does not have the port.
func send(address string, lines ...string) error {
	text := strings.Join(lines, "\n") + "\n"
	if rest, ok := strings.CutPrefix(address, "vsock-stream:"); ok {
		return sendVsock(rest, text)
	}
	if !filepath.IsAbs(address) {
		return fmt.Errorf("%s=%s: not of the form vsock-stream:CID:PORT", guest.NotifyParameter, address)
	}
	port, err := os.OpenFile(address, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer port.Close()
	if setTerminal(port, unix.OPOST, unix.ECHO) != nil {
		return nil // the node is there, the port is not
	}
	if _, err := io.WriteString(port, text); err != nil {
		return err
	}
	return unix.IoctlSetInt(int(port.Fd()), unix.TCSBRK, 1) // until it is through (tcdrain(3))
}

// sendVsock sends a text over a connection of its own, as sd_notify(3) does. The
// peer closes the connection once it has read the text.
func sendVsock(address, text string) error {
	cid, port, _ := strings.Cut(address, ":")
	c, err := strconv.ParseUint(cid, 10, 32)
	p, e := strconv.ParseUint(port, 10, 32)
	if err != nil || e != nil {
		return fmt.Errorf("%s=vsock-stream:%s: not of the form vsock-stream:CID:PORT", guest.NotifyParameter, address)
	}
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("vsock: %w", err)
	}
	defer unix.Close(fd)
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1})
	if err := unix.Connect(fd, &unix.SockaddrVM{CID: uint32(c), Port: uint32(p)}); err != nil {
		return fmt.Errorf("vsock %s: %w", address, err)
	}
	for len(text) > 0 {
		n, err := unix.Write(fd, []byte(text))
		if err != nil {
			return fmt.Errorf("vsock %s: %w", address, err)
		}
		text = text[n:]
	}
	unix.Shutdown(fd, unix.SHUT_WR)
	unix.Read(fd, make([]byte, 1))
	return nil
}

// within calls a function and returns when it does, or after so long.
func within(long time.Duration, do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(long):
	}
}
