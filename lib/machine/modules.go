// SPDX-License-Identifier: Apache-2.0

package machine

// modulesArgs give the machine the kernel's modules as its last disk. banger-init
// finds it by its UUID.
func (b *Boot) modulesArgs() []string {
	if b.modules == "" {
		return nil
	}
	return []string{"-drive", "id=modules,if=none,format=raw,readonly=on,file=" + b.modules,
		"-device", "virtio-blk-device,drive=modules"}
}

// drives are the disks of a configuration of Firecracker, the kernel's modules last.
func (b *Boot) drives() []FirecrackerDrive {
	all := []FirecrackerDrive{{ID: "rootfs", Path: b.disk, Root: true}}
	if b.modules != "" {
		all = append(all, FirecrackerDrive{ID: "modules", Path: b.modules, ReadOnly: true})
	}
	return all
}
