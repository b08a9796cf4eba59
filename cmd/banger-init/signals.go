// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// stopTime is how long a command has to end once it is asked to, as docker stop
// has it.
const stopTime = 10 * time.Second

// surviveSignals keeps signals from ending this process, and the kernel with
// it: the Go runtime has handlers for them, so that even process 1 gets those
// that end a program (signal(7), os/signal). They are not ignored, which an
// init that takes the place of this process would inherit.
func surviveSignals() {
	signal.Notify(make(chan os.Signal, 1)) // that nobody reads
}

// requests are the signals that ask the machine to end, as kill(1), reboot(8)
// and the kernel, for Ctrl-Alt-Del, send them.
func requests() <-chan os.Signal {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM, unix.SIGINT)
	return asked
}

// takeCtrlAltDel makes Ctrl-Alt-Del a SIGINT to this process. The kernel would
// restart the machine at once. An init does so itself.
func takeCtrlAltDel() { unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) }

// passOn sends a command the signal that stops it whenever the machine is asked
// to end, and SIGKILL if it has not ended after so long.
func passOn(asked <-chan os.Signal, command int, stop unix.Signal, long time.Duration) {
	var late <-chan time.Time
	for {
		select {
		case <-asked:
			unix.Kill(command, stop)
			if late == nil {
				late = time.After(long)
			}
		case <-late:
			unix.Kill(command, unix.SIGKILL)
		}
	}
}

// The real-time signals that programs may use, as glibc counts them (signal(7)).
const (
	firstRealTime = 34
	lastRealTime  = 64
)

// stopSignal returns the signal of an image's StopSignal: a number, or a name
// with or without SIG, SIGRTMIN+N and SIGRTMAX-N too. None is SIGTERM.
func stopSignal(name string) (unix.Signal, error) {
	if name == "" {
		return unix.SIGTERM, nil
	}
	number, err := strconv.Atoi(name)
	if err != nil {
		number = signalNumber(strings.TrimPrefix(strings.ToUpper(name), "SIG"))
	}
	if number < 1 || number > lastRealTime {
		return 0, fmt.Errorf("no signal %q", name)
	}
	return unix.Signal(number), nil
}

// signalNumber returns the number of a signal's name without SIG, 0 for none.
func signalNumber(name string) int {
	from, sign := 0, 0
	rest, low := strings.CutPrefix(name, "RTMIN")
	if low {
		from, sign = firstRealTime, 1
	} else if rest, low = strings.CutPrefix(name, "RTMAX"); low {
		from, sign = lastRealTime, -1
	} else {
		return int(unix.SignalNum("SIG" + name))
	}
	if rest == "" {
		return from
	}
	// The number has its sign: RTMIN+1, RTMAX-1.
	offset, err := strconv.Atoi(rest)
	if number := from + offset; err == nil && offset*sign >= 0 && strings.ContainsAny(rest[:1], "+-") && number >= firstRealTime && number <= lastRealTime {
		return number
	}
	return 0
}
