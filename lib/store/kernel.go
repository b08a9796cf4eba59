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

// The parts of a kernel, in its own directory as in an image's.
const (
	vmlinuxPart = "vmlinux"
	bzImagePart = "bzImage"
	configPart  = "vmlinux.config"
	initrdPart  = "initrd.img"
	modulesPart = "modules"

	kernelFile = "kernel.json"
)

var allParts = []string{vmlinuxPart, bzImagePart, configPart, initrdPart, modulesPart}

// A Kernel is one of the store. Its directory is named as it is.
type Kernel struct {
	Name string `json:"name"`
	Dir  string `json:"path"`
	*KernelRecord
}

// A KernelRecord is kernel.json: what kernel it is, and of what it is made.
type KernelRecord struct {
	Version int               `json:"version"`
	Distro  string            `json:"distro,omitempty"`
	Arch    string            `json:"arch"`
	Release string            `json:"release"`
	Source  string            `json:"source"`
	SHA256  map[string]string `json:"sha256"` // of each part; of modules, that of their list
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
		return nil, status.Hint(status.Errorf(status.Bad, "%s: no %s in it", k.Dir, kernelFile),
			"mv it elsewhere, and banger kernel add %s from there", name)
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

// Kernels lists the kernels, by name. What is in the directory and no kernel
// is passed to skipped.
func (s *Store) Kernels(skipped func(error)) ([]*Kernel, error) {
	return list(s.kernels(), s.Kernel, skipped)
}

// RemoveKernel removes a kernel, one with a damaged record too. Its name goes
// first, in one step; the images that have a copy keep it.
func (s *Store) RemoveKernel(name string) error {
	k, err := s.Kernel(name)
	if k == nil {
		return err
	}
	if err = stage.Remove(k.Dir); absent(err) { // another was faster
		return noKernel(name)
	}
	return err
}

func noKernel(name string) error {
	return status.Hint(status.Errorf(status.NoInput, "kernel %s: no such kernel", name),
		"banger kernel list; banger kernel add %s SOURCE", name)
}

func isKernel(dir string) bool { return exists(filepath.Join(dir, kernelFile)) }

// isUnrecorded tells a kernel that has no record from one that came or went
// while it was looked for: what is held does neither.
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
