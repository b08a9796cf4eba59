// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/sshd"
)

// initTime is how long the init has to end the machine once it is asked to.
// Debian's runit sleeps for 14 seconds first.
const initTime = 25 * time.Second

// shutdown is the subsystem that ends the machine. Process 1 is asked as by
// Ctrl-Alt-Del: each init restarts the machine then, and process 1 of this
// program ends it. If an init does not, the agent does.
func (s *service) shutdown(sshd.Account, io.Reader, io.Writer) int {
	if err := unix.Kill(1, unix.SIGINT); err != nil {
		say("process 1: %v", err)
		return 1
	}
	s.set(func() {
		if s.plan.IsInit() {
			time.AfterFunc(initTime, s.endMachine)
		}
	})
	return 0
}

// endMachine ends the machine where its init does not.
func (s *service) endMachine() {
	say("the init does not end the machine")
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		unix.Kill(-1, sig) // all but process 1 and this one
		time.Sleep(grace / 2)
	}
	unix.Sync()
	unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY, "") // fails if process 1 writes a file
	unix.Reboot(rebootCommand(s.Restart))
}

// rebootCommand returns how a machine ends: by switching off, or by restarting
// where it cannot switch itself off.
func rebootCommand(restart bool) int {
	if restart {
		return unix.LINUX_REBOOT_CMD_RESTART
	}
	return unix.LINUX_REBOOT_CMD_POWER_OFF
}
