// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"banger/lib/bundle"
)

// KernelCommand returns the shell command that publishes the image again with
// another kernel of the store. If there is none for its architecture, the command
// first adds Debian's or, for an architecture that is not the host's, a kernel
// from a directory DIR.
func (i *Image) KernelCommand() string {
	arch := i.Arch()
	s := Open(filepath.Dir(filepath.Dir(i.Dir)))
	kernels, _ := s.Kernels(func(error) {})
	for _, k := range kernels {
		used := i.Kernel != nil && i.Kernel.Ref == k.Name
		if !used && (arch == "" || arch == k.Arch) {
			return i.RegisterCommand(k.Name)
		}
	}
	if arch != "" && arch != runtime.GOARCH {
		name := s.freeKernelName(arch)
		return fmt.Sprintf("banger kernel add %s DIR && %s", name, i.RegisterCommand(name))
	}
	name := s.freeKernelName("debian")
	return fmt.Sprintf("banger kernel debian %s && %s", name, i.RegisterCommand(name))
}

// Arch returns the architecture of the image, or "" if it is unknown.
func (i *Image) Arch() string {
	_, rest, _ := strings.Cut(i.Platform, "/")
	arch, _, _ := strings.Cut(rest, "/") // a variant may follow
	return arch
}

// freeKernelName returns a name that no kernel of the store has: name, or name
// with a number.
func (s *Store) freeKernelName(name string) string {
	free := name
	for n := 2; exists(filepath.Join(s.kernels(), free)); n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	return free
}

// RegisterCommand returns the shell command that publishes the image again with a
// kernel of the store.
func (i *Image) RegisterCommand(kernel string) string {
	return fmt.Sprintf(`banger register -f --name %s --kernel-ref %s "$(banger image path %s)"/%s`,
		i.Name, kernel, i.Name, bundle.Ext4File)
}
