// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// surviveSignals keeps signals from ending this process, which would panic the
// kernel: the Go runtime installs handlers, so even process 1 receives fatal
// signals (signal(7), os/signal). The signals are not ignored, since an executed
// init would inherit that.
func surviveSignals() {
	signal.Notify(make(chan os.Signal, 1)) // never read
}

// requests returns a channel of the signals that request an end, as kill(1) and
// reboot(8) send them.
func requests() <-chan os.Signal {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM, unix.SIGINT)
	return asked
}

// forward sends SIGTERM to the command for each request.
func forward(asked <-chan os.Signal, command int) {
	for range asked {
		unix.Kill(command, unix.SIGTERM)
	}
}
