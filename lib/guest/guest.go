// SPDX-License-Identifier: Apache-2.0

// Package guest defines what the host and banger-init, the first process of a
// guest, share.
package guest

// The files of banger's initial ramdisk.
const (
	InitFile   = "init"     // banger-init
	ModulesDir = "modules"  // NNN-NAME.ko, loaded in the order of their names
	RunFile    = "run.json" // a Run; absent to start the image's own init
)

// StatusPort is the serial port for the exit status of a command, written as
// decimal digits and a newline.
const StatusPort = "/dev/ttyS1"

// A Run is a command that banger-init runs instead of the image's init.
type Run struct {
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"`
	Dir  string   `json:"dir,omitempty"`
}
