// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A command that does not end when it is asked to is killed.
func TestPassOnKills(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	child, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", `trap 'echo asked' TERM; echo up; while :; do sleep 0.1; done`}, &syscall.ProcAttr{
		Env: []string{"PATH=/usr/bin:/bin"}, Files: []uintptr{0, w.Fd(), 2}})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	expect := func(want string) {
		b := make([]byte, len(want))
		if n, err := r.Read(b); string(b[:n]) != want {
			t.Fatalf("%q, %v; not %q", b[:n], err, want)
		}
	}
	expect("up\n")
	asked := make(chan os.Signal)
	go passOn(asked, child, unix.SIGTERM, 2*time.Second)
	asked <- unix.SIGINT
	expect("asked\n")
	if status, err := wait(child); status != 128+9 || err != nil {
		t.Errorf("%d, %v; not 137", status, err)
	}
}
