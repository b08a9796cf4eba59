// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// surviveSignals keeps signals from ending this process, and the kernel with
// it: the Go runtime has handlers for them, so that even process 1 gets those
// that end a program (signal(7), os/signal). They are not ignored, which an
// init that takes the place of this process would inherit.
func surviveSignals() {
	signal.Notify(make(chan os.Signal, 1)) // that nobody reads
}

// requests are the signals that ask the machine to end, as kill(1) and
// reboot(8) send them.
func requests() <-chan os.Signal {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM, unix.SIGINT)
	return asked
}

// passOn lets a command end itself, and so the machine, when that is asked.
func passOn(asked <-chan os.Signal, command int) {
	for range asked {
		unix.Kill(command, unix.SIGTERM)
	}
}
