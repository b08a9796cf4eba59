// SPDX-License-Identifier: Apache-2.0

// Package guest is what the host and banger-init, the first process of a
// guest, agree on.
package guest

// What lies in an initial ramdisk that banger made.
const (
	InitFile   = "init"     // banger-init
	ModulesDir = "modules"  // NN-NAME.ko, to be loaded in the order of their names
	RunFile    = "run.json" // a Run; not there if the image's own init is to start
)

// StatusPort is the serial port that the exit status of a command is written
// to, in decimal digits and a newline.
const StatusPort = "/dev/ttyS1"

// A Run is a command that banger-init runs in place of the image's init.
type Run struct {
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
}
