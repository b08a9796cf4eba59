// SPDX-License-Identifier: Apache-2.0

// Command init is the first process of the demo's image: it prints what it
// runs on and powers the machine off.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	for _, path := range []string{"/etc/os-release", "/etc/motd"} {
		text, err := os.ReadFile(path)
		if err != nil {
			fmt.Println(err)
		}
		os.Stdout.Write(text)
	}
	if os.Getpid() == 1 {
		syscall.Sync()
		syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	}
}
