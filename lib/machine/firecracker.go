// SPDX-License-Identifier: Apache-2.0

package machine

// Firecracker is a configuration file of Firecracker (its docs/getting-started.md
// and src/firecracker/swagger/firecracker.yaml).
type Firecracker struct {
	BootSource struct {
		Kernel string `json:"kernel_image_path"`
		Initrd string `json:"initrd_path"`
		Args   string `json:"boot_args"`
	} `json:"boot-source"`
	Drives  []FirecrackerDrive `json:"drives"`
	Machine struct {
		CPUs   int `json:"vcpu_count"`
		Memory int `json:"mem_size_mib"`
	} `json:"machine-config"`
	Vsock struct {
		CID  int    `json:"guest_cid"`
		Path string `json:"uds_path"`
	} `json:"vsock"`
	Entropy struct{} `json:"entropy"`
}

// A FirecrackerDrive is a disk of a configuration of Firecracker.
type FirecrackerDrive struct {
	ID       string `json:"drive_id"`
	Path     string `json:"path_on_host"`
	Root     bool   `json:"is_root_device"`
	ReadOnly bool   `json:"is_read_only"`
}

// firecrackerLine is the kernel's command line. Firecracker adds the arguments
// up to quiet itself to a configuration without boot_args (its
// DEFAULT_KERNEL_CMDLINE), but nomodule, which would keep drivers out, and
// 8250.nr_uarts=0, which would keep the console silent.
const firecrackerLine = "console=ttyS0 reboot=k panic=1 pci=off i8042.noaux i8042.nomux i8042.nopnp i8042.dumbkbd quiet " + systemdParameters

// guestCID is the guest's vsock address.
const guestCID = 3

// firecracker returns the configuration that boots the disk.
func (b *Boot) firecracker() Firecracker {
	var c Firecracker
	c.BootSource.Kernel, c.BootSource.Initrd, c.BootSource.Args = b.vmlinux(), b.initrd, firecrackerLine
	c.Drives = b.drives()
	c.Machine.CPUs, c.Machine.Memory = b.CPUs, b.Memory
	c.Vsock.CID, c.Vsock.Path = guestCID, b.disk+".vsock"
	return c
}
