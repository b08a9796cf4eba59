// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Status lines reach a vsock listener, over the machine's own loopback.
func TestSendVsock(t *testing.T) {
	const port = 48111
	l, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(l)
		err = unix.Bind(l, &unix.SockaddrVM{CID: unix.VMADDR_CID_LOCAL, Port: port})
	}
	if err == nil {
		err = unix.Listen(l, 1)
	}
	if err != nil {
		t.Skipf("no loopback for vsock: %v", err)
	}
	got := make(chan string)
	go func() {
		fd, _, err := unix.Accept(l)
		if err != nil {
			got <- err.Error()
			return
		}
		defer unix.Close(fd)
		var text strings.Builder
		b := make([]byte, 100)
		for n, err := unix.Read(fd, b); n > 0 && err == nil; n, err = unix.Read(fd, b) {
			text.Write(b[:n])
		}
		got <- text.String()
	}()
	if err := send(fmt.Sprintf("vsock-stream:%d:%d", unix.VMADDR_CID_LOCAL, port), "STATUS=x", "EXIT_STATUS=0"); err != nil {
		t.Skipf("no loopback for vsock: %v", err)
	}
	if text := <-got; text != "STATUS=x\nEXIT_STATUS=0\n" {
		t.Errorf("%q", text)
	}
}

// An address that is none is an error; a port that is not there is not.
func TestSendNowhere(t *testing.T) {
	for _, address := range []string{"vsock-stream:2", "vsock-stream:2:x", "vsock-stream:2:3:4", "vsock-stream:2:1 ", "unix:/run/x", "x"} {
		if err := send(address, "READY=1"); err == nil || !strings.Contains(err.Error(), address) {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{t.TempDir() + "/none", "/dev/null"} {
		if err := send(address, "READY=1"); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
