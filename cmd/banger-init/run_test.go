// SPDX-License-Identifier: Apache-2.0

package main

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// start starts a shell script as supervise starts a command.
func start(t *testing.T, script string) (child int) {
	t.Helper()
	child, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", script}, &syscall.ProcAttr{
		Env: []string{"PATH=" + defaultPath}, Files: []uintptr{0, 1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	return child
}

// A command's status is its exit code, or 128 and its signal, even if other
// children exit before it.
func TestWait(t *testing.T) {
	for script, want := range map[string]int{
		"exit 0": 0, "exit 3": 3, "exit 255": 255, "kill -KILL $$": 128 + 9, "kill -TERM $$": 128 + 15,
	} {
		other := start(t, "exit 42")
		if err := unix.Waitid(unix.P_PID, other, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := wait(start(t, script)); got != want || err != nil {
			t.Errorf("%s: %d, %v, want %d", script, got, err, want)
		}
	}
}

// A request to end reaches the command and does not end this process; other
// signals end neither.
func TestPassOn(t *testing.T) {
	surviveSignals()
	for script, want := range map[string]int{
		"kill -TERM $PPID; wait": 9,
		"kill -INT $PPID; wait":  9,
		"kill -HUP $PPID; kill -QUIT $PPID; kill -USR1 $PPID; kill $!; exit 3": 3,
	} {
		asked := requests()
		child := start(t, `sleep 60 & trap 'kill $!; exit 9' TERM; `+script)
		go forward(asked, child)
		if got, err := wait(child); got != want || err != nil {
			t.Errorf("%s: %d, %v, want %d", script, got, err, want)
		}
	}
}
