// SPDX-License-Identifier: Apache-2.0

// Command banger-init is the first process of a guest, /init in banger's initial
// ramdisks. It loads modules and mounts the root filesystem. Then it executes the
// image's init, or runs a command and switches the machine off.
package main

import (
	"fmt"
	"os"
	"slices"
)

const help = `Usage: banger-init

The first process of a guest: /init of the initial ramdisks that banger-kernel
and banger-image make. It is not run by hand.

    $ banger-boot debian-bookworm -- cat /etc/os-release

Flags:
  -h, --help   print this and exit
`

func main() {
	if os.Getpid() != 1 {
		os.Exit(outside(os.Args[1:]))
	}
	surviveSignals()
	// The kernel panics if its first process exits: report a status instead.
	defer func() {
		if p := recover(); p != nil {
			say("%v", p)
			end(cannotRun)
		}
	}()
	status, err := boot()
	if err != nil {
		say("%v", err)
	}
	end(status)
}

// outside runs the program when it is not process 1.
func outside(args []string) int {
	if slices.Equal(args, []string{"--help"}) || slices.Equal(args, []string{"-h"}) {
		fmt.Print(help)
		return 0
	}
	fmt.Fprint(os.Stderr, "banger-init: only runs as the first process of a guest\nhint: banger boot --help\n")
	return 64
}

// say prints a message on the console.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "banger-init: "+format+"\n", args...)
}
