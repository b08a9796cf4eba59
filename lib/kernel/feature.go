// SPDX-License-Identifier: Apache-2.0

package kernel

// A Feature is something a guest's kernel must have, or better has.
type Feature struct {
	Name   string
	Option string // of the configuration, without CONFIG_
	Module string // "" if it can only be built in
}

// What a root filesystem on a virtio disk takes.
var (
	Ext4       = Feature{"ext4", "EXT4_FS", "ext4"}
	VirtioBlk  = Feature{"virtio_blk", "VIRTIO_BLK", "virtio_blk"}
	VirtioMMIO = Feature{"virtio_mmio", "VIRTIO_MMIO", "virtio_mmio"}
	VirtioPCI  = Feature{"virtio_pci", "VIRTIO_PCI", "virtio_pci"}
)

// What else a guest looks for.
var (
	Ramdisk  = Feature{"initial ramdisk", "BLK_DEV_INITRD", ""}
	Devtmpfs = Feature{"devtmpfs", "DEVTMPFS", ""}
	Console  = Feature{"8250 console", "SERIAL_8250_CONSOLE", ""}
	Vsock    = Feature{"vsock", "VIRTIO_VSOCKETS", "vmw_vsock_virtio_transport"}
)

// root are the features that decide whether a kernel can mount its root by
// itself.
var root = []Feature{VirtioMMIO, VirtioPCI, VirtioBlk, Ext4}

// beside are modules that an initrd brings along: an image has none of its own.
var beside = []string{"virtio_net", "virtio_rng", "virtio_console", "virtio_balloon", Vsock.Module}

// A State is where a kernel has a feature.
type State int

// The states of a feature.
const (
	Unknown  State = iota // neither configuration nor list of modules tells
	Absent                // nowhere
	Loadable              // in a module
	BuiltIn
)

// In returns where a kernel has the feature, going by its configuration and
// its modules, either of which may be nil.
func (f Feature) In(c Config, m *Modules) State {
	switch {
	case c[f.Option] == "y" || m.Builtin(f.Module):
		return BuiltIn
	case c[f.Option] == "m" || m.Has(f.Module):
		return Loadable
	case c != nil || f.Module != "" && m != nil && m.listed:
		return Absent
	}
	return Unknown
}

// NeedsInitrd reports whether something that the root filesystem hangs on has
// to be loaded first.
func NeedsInitrd(c Config, m *Modules) bool {
	for _, f := range root {
		if f.In(c, m) == Loadable {
			return true
		}
	}
	return false
}

// ForInitrd returns the modules that an initrd of the kernel takes, in the
// order to load them.
func (m *Modules) ForInitrd() ([]Module, error) {
	var names []string
	for _, f := range root {
		names = append(names, f.Module)
	}
	there := names[:0:0]
	for _, name := range append(names, beside...) {
		if m.Has(name) {
			there = append(there, name)
		}
	}
	return m.Order(there...)
}
