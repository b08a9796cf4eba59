// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"banger/lib/bundle"
	"banger/lib/stage"
	"banger/lib/status"
)

// The parts of a kernel, in its own directory and in an image's.
const (
	vmlinuxPart = "vmlinux"
	bzImagePart = "bzImage"
	configPart  = "vmlinux.config"
	initrdPart  = "initrd.img"
	modulesPart = "modules.ext4"

	modulesDir = "modules" // of a source; and, in place of modules.ext4, of an older banger

	kernelFile = "kernel.json"
)

var allParts = []string{vmlinuxPart, bzImagePart, configPart, initrdPart, modulesPart}

// A Kernel is a kernel of the store. Its name is that of its directory.
type Kernel struct {
	Name string `json:"name"`
	Dir  string `json:"path"`
	*KernelRecord
}

// A KernelRecord is kernel.json: the identity and the parts of a kernel.
type KernelRecord struct {
	Version int               `json:"version"`
	Distro  string            `json:"distro,omitempty"`
	Arch    string            `json:"arch"`
	Release string            `json:"release"`
	Source  string            `json:"source"`
	SHA256  map[string]string `json:"sha256"` // of each part
	Added   time.Time         `json:"added"`
}

// Kernel returns a kernel of the store.
func (s *Store) Kernel(name string) (*Kernel, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	k := &Kernel{name, filepath.Join(s.kernels(), name), nil}
	var err error
	k.KernelRecord, err = readKernel(k.Dir)
	switch {
	case absent(err) && isUnrecorded(k.Dir):
		return nil, status.Hint(status.Errorf(status.Bad, "%s: no %s", k.Dir, kernelFile),
			"move it away, then add it with banger kernel add %s DIR", name)
	case absent(err):
		return nil, noKernel(name)
	}
	return k, damaged(err, "kernel", name)
}

// readKernel reads the record in a kernel's directory.
func readKernel(dir string) (*KernelRecord, error) {
	r, path := new(KernelRecord), filepath.Join(dir, kernelFile)
	err := bundle.ReadJSON(path, r)
	if err == nil && r.Version != 1 {
		err = status.Errorf(status.Bad, "%s: version %d is unknown", path, r.Version)
	}
	return r, err
}

// Kernels lists the kernels by name. It passes an error to skipped for each other
// entry of the directory.
func (s *Store) Kernels(skipped func(error)) ([]*Kernel, error) {
	return list(s.kernels(), s.Kernel, skipped)
}

// RemoveKernel removes a kernel, even one with a damaged record. It renames the
// kernel first, in one step. Images keep their copies.
func (s *Store) RemoveKernel(name string) error {
	k, err := s.Kernel(name)
	if k == nil {
		return err
	}
	if err = stage.Remove(k.Dir); absent(err) { // removed meanwhile
		return noKernel(name)
	}
	return err
}

func noKernel(name string) error {
	return status.Hint(status.Errorf(status.NoInput, "kernel %s: no such kernel", name),
		"banger kernel list")
}

func isKernel(dir string) bool { return exists(filepath.Join(dir, kernelFile)) }

// isUnrecorded reports whether a directory holds a kernel without a record. It
// holds the directory, so that one added or removed meanwhile is not taken for one.
func isUnrecorded(dir string) bool {
	held, err := stage.Hold(dir)
	if err != nil {
		return false
	}
	defer held.Close()
	dir = opened(held)
	return !isKernel(dir) && exists(filepath.Join(dir, vmlinuxPart))
}

// opened is a path of an open file, wherever its name has gone.
func opened(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
