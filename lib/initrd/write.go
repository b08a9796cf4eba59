// SPDX-License-Identifier: Apache-2.0

// Package initrd writes and reads initial ramdisks: cpio archives that Linux
// unpacks at boot (Documentation/driver-api/early-userspace/buffer-format.rst).
package initrd

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/cavaliergopher/cpio"

	"banger/lib/guest"
	"banger/lib/kernel"
	"banger/lib/status"
)

// maxModules bounds the modules: banger-init loads them in the order of their
// names, which begin with three digits.
const maxModules = 999

// Contents is the content of banger's initial ramdisk.
type Contents struct {
	Init    []byte          // cmd/banger-init, for the guest's architecture
	Modules []kernel.Module // in load order
	Config  []byte          // the image's OCI config; nil if it has none
	Machine *guest.Machine  // nil for the image's own command, user and environment
}

// Write writes an initial ramdisk, the same bytes for the same contents. It is not
// compressed, so that every kernel supports it and none spends time on it.
func Write(w io.Writer, c Contents) error {
	if len(c.Modules) > maxModules {
		return status.Errorf(status.Bad, "%d modules to load at boot: too many (limit %d)", len(c.Modules), maxModules)
	}
	a := cpio.NewWriter(w)
	for _, dir := range []string{"dev", guest.ModulesDir, "proc", "root", "sys"} {
		if err := a.WriteHeader(&cpio.Header{Name: dir, Mode: cpio.TypeDir | 0o755, Links: 2}); err != nil {
			return err
		}
	}
	if err := add(a, guest.InitFile, 0o755, c.Init); err != nil {
		return err
	}
	for i, m := range c.Modules {
		if err := add(a, fmt.Sprintf("%s/%03d-%s.ko", guest.ModulesDir, i, m.Name), 0o644, m.Data); err != nil {
			return err
		}
	}
	if c.Config != nil {
		if err := add(a, guest.ConfigFile, 0o644, c.Config); err != nil {
			return err
		}
	}
	if c.Machine != nil {
		machine, err := json.Marshal(c.Machine)
		if err == nil {
			err = add(a, guest.MachineFile, 0o644, machine)
		}
		if err != nil {
			return err
		}
	}
	return a.Close()
}

func add(a *cpio.Writer, name string, mode cpio.FileMode, data []byte) error {
	h := &cpio.Header{Name: name, Mode: cpio.TypeReg | mode, Size: int64(len(data))}
	if err := a.WriteHeader(h); err != nil {
		return err
	}
	_, err := a.Write(data)
	return err
}
