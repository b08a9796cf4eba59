// SPDX-License-Identifier: Apache-2.0

// Package guest holds what the host and banger-init, the first process of a
// guest, agree on: what lies in an initrd, what a guest runs, and the lines in
// which it reports its state.
package guest

import "reflect"

// Files of the initrds that banger makes. A machine's initrd may be two
// archives, an image's initrd.img and one with what differs for the machine: the
// kernel unpacks the second over the first.
const (
	InitFile    = "init"         // banger-init
	ModulesDir  = "modules"      // NNN-NAME.ko, loaded in the order of their names
	ConfigFile  = "config.json"  // the image's OCI config; absent if the image has none
	MachineFile = "machine.json" // a Machine; absent from a kernel's initrd
	ScriptFile  = "script"       // what a build runs, with Machine.Build
)

// ScriptPath is where a guest has the script of a build: in memory, not on the
// disk.
const ScriptPath = "/run/banger/script"

// A Machine is what one machine runs in place of what the image's config says.
type Machine struct {
	Hostname string   `json:"hostname,omitempty"` // used if ip= gives none
	Args     []string `json:"args,omitempty"`     // replaces Entrypoint and Cmd
	User     string   `json:"user,omitempty"`     // USER[:GROUP], replaces User
	Env      []string `json:"env,omitempty"`      // NAME=VALUE, over those of the image
	Ports    bool     `json:"ports,omitempty"`    // the command's streams are the ports below
	Modules  string   `json:"modules,omitempty"`  // UUID of the ext4 filesystem with the kernel's modules
	Terminal bool     `json:"terminal,omitempty"` // the command reads the console; else Args has /dev/null for input

	// Build says that Args runs ScriptPath, and that the disk is to become an image:
	// once Args has succeeded, what the machine made for itself is removed from it.
	Build bool `json:"build,omitempty"`
}

// Differs reports whether the machine is to run something else than the image
// says, or in another way.
func (m Machine) Differs() bool {
	m.Hostname, m.Modules = "", ""
	return !reflect.DeepEqual(m, Machine{})
}

// Names of the virtio-serial ports that carry the streams of a command. Without
// them, or without a driver for them, its streams are the console.
const (
	StdinPort  = "banger.stdin"
	StdoutPort = "banger.stdout"
	StderrPort = "banger.stderr"
)

// StatusPort is the serial port to which a guest writes status lines, unless the
// kernel parameter NotifyParameter names a vsock address.
const (
	StatusPort      = "/dev/ttyS1"
	NotifyParameter = "vmm.notify_socket" // vsock-stream:2:PORT
)

// Status lines, each ended by a newline, in the form of sd_notify(3).
const (
	StatusReady = "READY=1"      // the init or the command was started
	StatusText  = "STATUS="      // and a text for a person, on one line
	StatusExit  = "EXIT_STATUS=" // and the status of the command, 0 to 255: the last line
)

// MaxStatusLine is the length in bytes of the longest status line, without the
// newline. The host ignores longer ones.
const MaxStatusLine = 4096

// AgentName is the argv[0] of the agent, a second process of banger-init.
// systemd spares processes with an @ there in its final killing (see
// systemd's ROOT_STORAGE_DAEMONS.md).
const AgentName = "@banger-agent"
