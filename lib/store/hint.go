// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"path/filepath"

	"banger/lib/bundle"
)

// KernelCommand returns the shell command that publishes the image again with
// another kernel of the store or, if there is none for its architecture, with
// Debian's.
func (i *Image) KernelCommand() string {
	state := filepath.Dir(filepath.Dir(i.Dir))
	kernels, _ := Open(state).Kernels(func(error) {})
	for _, k := range kernels {
		used := i.Kernel != nil && i.Kernel.Ref == k.Name
		if !used && (i.Platform == "" || i.Platform == "linux/"+k.Arch) {
			return i.RegisterCommand(k.Name)
		}
	}
	return "banger kernel debian debian; " + i.RegisterCommand("debian")
}

// RegisterCommand returns the shell command that publishes the image again with a
// kernel of the store.
func (i *Image) RegisterCommand(kernel string) string {
	return fmt.Sprintf(`banger register -f --name %s --kernel-ref %s "$(banger image path %s)"/%s`,
		i.Name, kernel, i.Name, bundle.Ext4File)
}
