// SPDX-License-Identifier: Apache-2.0

package kernel

// A Feature is something that a guest's kernel needs or should have.
type Feature struct {
	Name   string
	Option string // of the configuration, without CONFIG_
	Module string // "" if it can only be built in
}

// The features that a root filesystem on a virtio disk needs.
var (
	Ext4       = Feature{"ext4", "EXT4_FS", "ext4"}
	VirtioBlk  = Feature{"virtio_blk", "VIRTIO_BLK", "virtio_blk"}
	VirtioMMIO = Feature{"virtio_mmio", "VIRTIO_MMIO", "virtio_mmio"}
	VirtioPCI  = Feature{"virtio_pci", "VIRTIO_PCI", "virtio_pci"}
)

// Other features of a guest.
var (
	Ramdisk  = Feature{"initial ramdisk", "BLK_DEV_INITRD", ""}
	Devtmpfs = Feature{"devtmpfs", "DEVTMPFS", ""}
	Console  = Feature{"8250 console", "SERIAL_8250_CONSOLE", ""}
	Vsock    = Feature{"vsock", "VIRTIO_VSOCKETS", "vmw_vsock_virtio_transport"}
)

// root lists the features a kernel needs built in to mount its root filesystem
// without an initrd.
var root = []Feature{VirtioMMIO, VirtioPCI, VirtioBlk, Ext4}

// extra lists more modules for an initrd: an image has none for the kernel.
var extra = []string{"virtio_net", "virtio_rng", "virtio_console", "virtio_balloon", "pvpanic_mmio", Vsock.Module}

// A State tells where a kernel has a feature.
type State int

// The states of a feature.
const (
	Unknown  State = iota // neither a configuration nor modules.builtin
	Absent                // not at all
	Loadable              // as a module
	BuiltIn
)

// In returns the state of the feature in a kernel with a configuration and
// modules, either of which may be nil.
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

// NeedsInitrd reports whether the kernel must load a module to mount its root
// filesystem.
func NeedsInitrd(c Config, m *Modules) bool {
	for _, f := range root {
		if f.In(c, m) == Loadable {
			return true
		}
	}
	return false
}

// ForInitrd returns the modules for an initrd of the kernel, in load order.
func (m *Modules) ForInitrd() ([]Module, error) {
	var names []string
	for _, f := range root {
		names = append(names, f.Module)
	}
	found := names[:0:0]
	for _, name := range append(names, extra...) {
		if m.Has(name) {
			found = append(found, name)
		}
	}
	return m.Order(found...)
}
