// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// grace is the time that processes have to exit.
const grace = 2 * time.Second

// end stops the processes, syncs the filesystem, reports the status and switches
// the machine off. The status is reported only once everything is on disk.
func end(status int) {
	killAll()
	unix.Sync()
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		say("remount / read-only: %v", err)
	}
	report(status)
	os.WriteFile("/proc/sys/kernel/printk", []byte("0"), 0) // keep the kernel's messages out of the command's output
	line, _ := os.ReadFile("/proc/cmdline")
	how := unix.LINUX_REBOOT_CMD_POWER_OFF
	if parseCmdline(string(line)).has("reboot") { // for a machine without power-off
		how = unix.LINUX_REBOOT_CMD_RESTART
	}
	err := unix.Reboot(how)
	say("power off: %v", err)
	for {
		unix.Pause()
	}
}

// killAll terminates all other processes and waits for them.
func killAll() {
	if unix.Kill(-1, unix.SIGTERM) == nil {
		reap(grace)
	}
	if unix.Kill(-1, unix.SIGKILL) == nil {
		reap(grace)
	}
}

// reap waits for children until there are none, or for the given time.
func reap(limit time.Duration) {
	for end := time.Now().Add(limit); time.Now().Before(end); {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			return
		case pid <= 0:
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// report writes the status to its port, if the machine has one.
func report(status int) {
	port, err := os.OpenFile(guest.StatusPort, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	if setTerminal(port, unix.OPOST, 0) != nil {
		return // a device node without a port
	}
	fmt.Fprintf(port, "%d\n", status)
	unix.IoctlSetInt(int(port.Fd()), unix.TCSBRK, 1) // wait until it is sent (tcdrain(3))
}
