// SPDX-License-Identifier: Apache-2.0

// Command banger-init is the first process of a guest, /init of the initial
// ramdisks that banger makes. It loads modules and mounts the root filesystem;
// then it becomes the image's own init, or runs a command and ends the machine.
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
	// A first process that ends takes the kernel with it: a machine that is
	// switched off, and a status, say more.
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

// outside is all that the program does where it is not the first process.
func outside(args []string) int {
	if slices.Equal(args, []string{"--help"}) || slices.Equal(args, []string{"-h"}) {
		fmt.Print(help)
		return 0
	}
	fmt.Fprint(os.Stderr, "banger-init: is the first process of a guest, and does nothing on a host\nhint: banger boot NAME\n")
	return 64
}

// say tells the console what is the matter.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "banger-init: "+format+"\n", args...)
}
