// SPDX-License-Identifier: Apache-2.0

package guest

import "net/netip"

// A Status is the document of StatusSubsystem.
type Status struct {
	Hostname  string         `json:"hostname,omitempty"`
	Rule      Rule           `json:"rule,omitempty"` // "" until it is known
	Command   []string       `json:"command,omitempty"`
	Started   bool           `json:"started"` // the init or the command
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	Times     Times          `json:"times"`
}

// Times are the milliseconds from the start of the kernel to the points of a boot,
// by CLOCK_BOOTTIME. They are 0 until the point is reached.
type Times struct {
	Init  int64 `json:"init"`  // /init of the initrd starts
	Root  int64 `json:"root"`  // the root filesystem is entered
	Agent int64 `json:"agent"` // the agent starts
	SSH   int64 `json:"ssh"`   // the SSH server listens
	Ready int64 `json:"ready"` // the init or the command was started
}
