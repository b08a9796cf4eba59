// SPDX-License-Identifier: Apache-2.0

// Package initrd writes and reads initial ramdisks: cpio archives that Linux
// unpacks at boot (Documentation/driver-api/early-userspace/buffer-format.rst).
package initrd

import (
	"bufio"
	"bytes"
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
	Machine *guest.Machine  // nil for the initrd of a kernel
	Script  []byte          // of a build, nil for none

	Credentials []guest.Credential
}

// directories are those that an initial ramdisk has, first of all.
var directories = []string{"dev", guest.ModulesDir, "proc", "root", "sys"}

// modulePrefix returns the start of the name of a module's file, the nth to load.
func modulePrefix(n int) string { return fmt.Sprintf("%s/%03d-", guest.ModulesDir, n) }

const moduleSuffix = ".ko"

// Write writes an initial ramdisk, the same bytes for the same contents. It is not
// compressed, so that every kernel supports it and none spends time on it.
func Write(w io.Writer, c Contents) error {
	if len(c.Modules) > maxModules {
		return status.Errorf(status.Bad, "%d modules to load at boot: too many (limit %d)", len(c.Modules), maxModules)
	}
	b := bufio.NewWriterSize(w, 1<<16)
	a := cpio.NewWriter(b)
	for _, dir := range directories {
		if err := a.WriteHeader(&cpio.Header{Name: dir, Mode: cpio.TypeDir | 0o755, Links: 2}); err != nil {
			return err
		}
	}
	if err := add(a, guest.InitFile, 0o755, c.Init); err != nil {
		return err
	}
	for i, m := range c.Modules {
		if err := add(a, modulePrefix(i)+m.Name+moduleSuffix, 0o644, m.Data); err != nil {
			return err
		}
	}
	if c.Config != nil {
		if err := add(a, guest.ConfigFile, 0o644, c.Config); err != nil {
			return err
		}
	}
	if err := c.addMachine(a); err != nil {
		return err
	}
	if err := a.Close(); err != nil {
		return err
	}
	return b.Flush()
}

// alignment is that of an archive, in bytes. The kernel ignores what follows an
// archive that ends elsewhere.
const alignment = 4

// WriteMachine writes a second archive, which is to follow what Write has
// written: what differs for one machine, the Machine, Script and Credentials of c.
// offset is the size of the first archive, whose Machine is replaced.
func WriteMachine(w io.Writer, offset int64, c Contents) error {
	var b bytes.Buffer
	b.Write(make([]byte, -offset&(alignment-1)))
	a := cpio.NewWriter(&b)
	if err := c.addMachine(a); err != nil {
		return err
	}
	if err := a.Close(); err != nil {
		return err
	}
	b.Write(make([]byte, -(offset+int64(b.Len()))&(alignment-1)))
	_, err := w.Write(b.Bytes())
	return err
}

// addMachine adds what is not the same for every machine of an image.
func (c Contents) addMachine(a *cpio.Writer) error {
	if c.Machine != nil {
		raw, err := json.Marshal(c.Machine)
		if err == nil {
			err = add(a, guest.MachineFile, 0o644, raw)
		}
		if err != nil {
			return err
		}
	}
	if c.Script != nil {
		if err := add(a, guest.ScriptFile, 0o600, c.Script); err != nil {
			return err
		}
	}
	return addCredentials(a, c.Credentials)
}

// addCredentials adds files that only root can read.
func addCredentials(a *cpio.Writer, credentials []guest.Credential) error {
	if len(credentials) == 0 {
		return nil
	}
	if err := a.WriteHeader(&cpio.Header{Name: guest.CredentialsDir, Mode: cpio.TypeDir | 0o700, Links: 2}); err != nil {
		return err
	}
	for _, c := range credentials {
		if err := guest.CheckCredential(c); err != nil {
			return status.With(status.Usage, err)
		}
		if err := add(a, guest.CredentialsDir+"/"+c.ID, 0o400, c.Data); err != nil {
			return err
		}
	}
	return nil
}

func add(a *cpio.Writer, name string, mode cpio.FileMode, data []byte) error {
	h := &cpio.Header{Name: name, Mode: cpio.TypeReg | mode, Size: int64(len(data))}
	if err := a.WriteHeader(h); err != nil {
		return err
	}
	_, err := a.Write(data)
	return err
}
