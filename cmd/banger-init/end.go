// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

const (
	grace      = 2 * time.Second // how long processes have to end once they are asked to
	reportTime = 5 * time.Second // how long the host has to take the status
)

// end ends the machine: processes, what is left of the command's output, the
// filesystem, then the status: all that it reports is on the disk.
func (m *machine) end(status int, err error) {
	if err != nil {
		say("%v", err)
	}
	m.agent.over()
	killAll()
	m.ports.drain()
	if m.wishes.Build && status == 0 {
		status, err = m.endBuild()
	} else if e := stopWriting("/"); e != nil {
		say("%v", e)
	}
	m.report(status, err)
	os.WriteFile("/proc/sys/kernel/printk", []byte("0"), 0) // the kernel's messages are not output of the command
	err = unix.Reboot(rebootCommand(m.line.has("reboot")))
	say("the machine cannot be switched off: %v", err)
	for {
		unix.Pause()
	}
}

// stopWriting writes all to the disk, and makes it read-only. dir is on it.
func stopWriting(dir string) error {
	unix.Sync()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("the root filesystem is still being written to: %w", err)
	}
	return nil
}

// report sends why the command was not run, if it was not, and the status.
func (m *machine) report(status int, err error) {
	var lines []string
	if err != nil {
		lines = append(lines, guest.StatusText+printable(err.Error()))
	}
	lines = append(lines, guest.StatusExit+strconv.Itoa(status))
	within(reportTime, func() { send(statusAddress(m.line), lines...) })
}

// killAll ends all other processes, and waits for them.
func killAll() {
	if unix.Kill(-1, unix.SIGTERM) == nil {
		reap(grace)
	}
	if unix.Kill(-1, unix.SIGKILL) == nil {
		reap(grace)
	}
}

// reap collects children until there is none, or for so long.
func reap(long time.Duration) {
	for end := time.Now().Add(long); time.Now().Before(end); {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			return
		case pid <= 0:
			time.Sleep(5 * time.Millisecond)
		}
	}
}
