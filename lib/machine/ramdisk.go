// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/guest"
	"banger/lib/initrd"
	"banger/lib/status"
	"banger/lib/store"
)

// makeInitrd makes the machine's initrd: banger-init, and what the machine is to
// run. Where none can be made, because there are no modules of the kernel, one
// that the kernel came with and banger did not make serves, unless there is a
// command.
func (b *Boot) makeInitrd(ctx context.Context) error {
	b.initrd = filepath.Join(b.files, "initrd.img")
	b.Guest.Hostname = guest.Hostname(cmp.Or(b.Name, b.Image.Name))
	if b.dir != nil {
		b.Guest.Hostname = guest.Hostname(b.dir.Name)
	}
	err := b.writeInitrd(ctx)
	if status.Of(err) != status.Bad || len(b.Guest.Args) > 0 {
		return err
	}
	brought := filepath.Join(b.Image.KernelDir(), "initrd.img")
	if _, foreign, e := store.ReadInitrd(brought); e == nil && foreign {
		b.initrd, b.foreign = brought, true
		return nil
	}
	return err
}

func (b *Boot) writeInitrd(ctx context.Context) error {
	b.showInitrd()
	if b.dry {
		return nil
	}
	f, err := os.OpenFile(b.initrd, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return status.Hint(status.With(status.Create, err), "set TMPDIR to a directory with more space")
	}
	defer f.Close()
	if err := b.Image.WriteInitrd(ctx, f, store.Personal{}, b.Init); err != nil {
		return b.initrdError(err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		own := initrd.Contents{Machine: &b.Guest, Credentials: b.keys.credentials()}
		if b.Build != nil {
			own.Script = b.Build.Script
		}
		err = initrd.WriteMachine(f, size, own)
	}
	if err == nil {
		err = f.Close()
	}
	return b.initrdError(err)
}

// initrdError explains an error of making the initrd.
func (b *Boot) initrdError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && b.current() != nil:
		return b.current()
	case status.Of(err) == status.Create:
		return status.Hint(fmt.Errorf("%s: %w", b.initrd, err), "set TMPDIR to a directory with more space")
	}
	return err
}

// showInitrd shows how the initrd is made by hand.
func (b *Boot) showInitrd() {
	machine, err := json.Marshal(b.Guest)
	if err != nil {
		return
	}
	mkdir := []string{"mkdir", "-p", "-m", "700", b.files}
	if b.dir != nil && b.dir.Path != b.files {
		mkdir = append(mkdir, b.dir.Path)
	}
	b.Show(Command{Args: mkdir})
	b.Show(Command{Args: []string{"printf", "%s", string(machine)}, Dir: b.files, Output: guest.MachineFile})
	initrd := "banger-image initrd "
	if b.Image.KernelDir() != b.Image.Dir {
		initrd += "--kernel-ref " + b.Image.Kernel.Ref + " "
	}
	b.Show(Command{Args: []string{"sh", "-c", initrd + b.Image.Name + " >initrd.img; echo " + guest.MachineFile + " | cpio --quiet -o -H newc >>initrd.img"}, Dir: b.files})
}

// initrdBeside keeps the initrd next to the disk. A file that has its name
// stays, and has to be the same.
func (b *Boot) initrdBeside(ctx context.Context) error {
	to := b.disk + ".initrd"
	st, err := beside(to)
	if err != nil {
		return err
	}
	defer st.Discard()
	made := filepath.Join(st.Path, "initrd")
	if err := b.copyDisk(ctx, b.initrd, made); err != nil {
		return err
	}
	err = os.Link(made, to)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return status.Errorf(status.Create, "%s: cannot create: %w", to, err)
	}
	if equal, err := sameContent(made, to); err != nil || !equal {
		return errors.Join(err, status.Hint(status.Errorf(status.Create, "%s.initrd: exists", b.Keep), "remove it, or use --keep FILE with another name"))
	}
	b.initrd = to
	return nil
}
