// SPDX-License-Identifier: Apache-2.0

// Command banger-init is the first process of a guest, /init of the initial
// ramdisks that banger makes. It loads modules, mounts the root filesystem and
// starts the agent, a second process of the same program. Then it becomes the
// image's init, or runs the image's command and ends the machine.
package main

import (
	"fmt"
	"os"
	"slices"

	"banger/lib/guest"
	"banger/lib/sshd"
)

const help = `Usage: banger-init

The first process of a guest: /init of the initial ramdisks that banger-kernel
and banger-image make. It is not run by hand.

    $ banger-boot debian-bookworm -- cat /etc/os-release

Flags:
  -h, --help   print this and exit
`

func main() {
	if status, ok := another(); ok {
		os.Exit(status)
	}
	if os.Getpid() != 1 {
		os.Exit(outside(os.Args[1:]))
	}
	surviveSignals()
	m := &machine{times: guest.Times{Init: sinceBoot()}}
	// If process 1 ends, the kernel panics. A machine that is switched off, and
	// a status, say more.
	defer func() {
		if p := recover(); p != nil {
			m.end(cannotRun, fmt.Errorf("%v", p))
		}
	}()
	m.end(m.boot())
}

// another does the work of the program's other processes, which argv[0] names,
// and returns their exit status.
func another() (status int, ok bool) {
	switch os.Args[0] {
	case guest.AgentName:
		return runAgent(), true
	case helperName:
		return sshd.RunHelper(), true
	case launcherName:
		return runLauncher(), true
	}
	return 0, false
}

// outside is all that the program does where it is not the first process.
func outside(args []string) int {
	if slices.Equal(args, []string{"--help"}) || slices.Equal(args, []string{"-h"}) {
		fmt.Print(help)
		return 0
	}
	fmt.Fprint(os.Stderr, "banger-init: is the first process of a guest, and does nothing on a host\nhint: banger boot NAME\n")
	return 64
}
