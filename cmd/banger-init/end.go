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

// grace is how long processes have to end once they are asked to.
const grace = 2 * time.Second

// end ends the machine: processes, then the filesystem, then the status, which
// so is only told of what is on the disk.
func end(status int) {
	killAll()
	unix.Sync()
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		say("the root filesystem is still being written to: %v", err)
	}
	report(status)
	os.WriteFile("/proc/sys/kernel/printk", []byte("0"), 0) // what the kernel says of it is no output of the command
	line, _ := os.ReadFile("/proc/cmdline")
	how := unix.LINUX_REBOOT_CMD_POWER_OFF
	if parseCmdline(string(line)).has("reboot") { // how a machine ends that cannot switch itself off
		how = unix.LINUX_REBOOT_CMD_RESTART
	}
	err := unix.Reboot(how)
	say("the machine cannot be switched off: %v", err)
	for {
		unix.Pause()
	}
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

// report writes the status to its port, if the machine has one.
func report(status int) {
	port, err := os.OpenFile(guest.StatusPort, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	if setTerminal(port, unix.OPOST, 0) != nil {
		return // the node is there, the port is not
	}
	fmt.Fprintf(port, "%d\n", status)
	unix.IoctlSetInt(int(port.Fd()), unix.TCSBRK, 1) // until it is through (tcdrain(3))
}
