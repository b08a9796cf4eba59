// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"banger/lib/stage"
	"banger/lib/status"
	"banger/lib/store"
)

// A Boot is one run of an image, and what it needs of the host.
type Boot struct {
	Spec
	Image *store.Image // with the kernel to boot
	Init  func(arch string) ([]byte, error)
	Temp  string // where copies are made
	Dirs  Dirs
	Build *Build // nil for none

	Stdin          *os.File
	Stdout, Stderr io.Writer // of the console, and of a command that is interactive
	Terminal       bool      // standard input is a person's

	Show   func(Command)                 // a command, before it is run
	Note   func(text, hint string)       // reports something; hint may be ""
	Said   func(line string)             // a line of QEMU's, or the last of a console
	Begun  func(m Record, emulated bool) // the machine is about to run
	Ready  func(m Record) error          // the init or the command was started
	Listen func(m Record)                // the ports are known
	NameOf func(uuid string) string      // the image with a root filesystem, "" for none
	Force  <-chan struct{}               // closed to end the machine at once

	dry       bool // commands are shown and not run
	terminal  bool
	held      []*os.File
	scratch   *stage.Stage
	files     string // where the initrd and a copy of the disk are made
	dir       *Dir
	keys      keys
	readiness *readiness
	disk      string
	locked    *os.File // the disk that is kept
	kernel    string
	initrd    string
	modules   string // the disk with the kernel's modules, "" for none
	foreign   bool   // the initrd is not banger's: the guest sends no status lines
	qemu      string
	record    Record
}

// Run boots the image and returns the exit status that the machine ends with:
// that of the command, where there is one.
func (b *Boot) Run(ctx context.Context) (code int, err error) {
	defer b.release()
	if b.qemu, err = find(qemu, "qemu-system-x86, or --print firecracker"); err != nil {
		return 0, err
	}
	if err := b.prepare(ctx); err != nil {
		return 0, err
	}
	if b.dir, err = b.Dirs.Claim(b.Name, b.usualName()); err != nil {
		return 0, err
	}
	if b.keys, err = b.dir.makeKeys(); err != nil {
		return 0, err
	}
	if b.readiness, err = listenReady(b.dir.Path); err != nil {
		return 0, err
	}
	p, err := b.makeFiles(ctx)
	if err != nil {
		return 0, err
	}
	b.record = Record{Name: b.dir.Name, Image: b.Image.Name, PID: os.Getpid(), Since: time.Now().UTC(), Ports: b.Publish}
	if b.Keep != "" {
		b.record.Disk = b.disk
	}
	if err := b.dir.write(b.record); err != nil {
		return 0, err
	}
	return b.attempts(ctx, p)
}

// usualName is what a machine is called that has no other name.
func (b *Boot) usualName() string {
	if b.Build != nil {
		return b.Build.Name
	}
	return b.Image.Name
}

// makeFiles chooses the processor, and makes the initrd and the disk.
func (b *Boot) makeFiles(ctx context.Context) (p processor, err error) {
	b.terminal = b.Terminal
	if p, err = b.chooseProcessor(ctx); err != nil {
		return p, err
	}
	if err := b.chooseStreams(); err != nil {
		return p, err
	}
	if err := b.makeInitrd(ctx); err != nil {
		return p, err
	}
	if b.Keep != "" {
		return p, b.keep(ctx)
	}
	return p, b.copied(ctx)
}

// PrintFirecracker makes the disk that is kept and returns the configuration
// that makes Firecracker boot it.
func (b *Boot) PrintFirecracker(ctx context.Context) (c Firecracker, err error) {
	defer b.release()
	if err := b.prepare(ctx); err != nil {
		return c, err
	}
	if b.initrd = b.Image.InitrdPath(); b.initrd != "" && b.Name == "" && !b.Guest.Differs() {
		if _, b.foreign, err = store.ReadInitrd(b.initrd); err != nil {
			return c, err
		}
		err := b.keep(ctx)
		return b.firecracker(), err
	}
	if err := b.makeInitrd(ctx); err != nil {
		return c, err
	}
	if _, err := os.Stat(b.disk + ".initrd"); err == nil { // refused before the work, not after it
		if err := b.initrdBeside(ctx); err != nil {
			return c, err
		}
	}
	if err := b.keep(ctx); err != nil {
		return c, err
	}
	err = b.initrdBeside(ctx)
	return b.firecracker(), err
}

// Commands shows the commands that boot the image by hand, with all files in one
// new directory. It makes none of them.
func (b *Boot) Commands(ctx context.Context) error {
	defer b.release()
	b.dry = true
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if b.qemu = qemu; b.Accel == "" && canOpenKVM() == nil {
		var err error
		if b.qemu, err = find(qemu, "qemu-system-x86"); err != nil {
			return err
		}
	}
	b.dir = &Dir{Name: cmp.Or(b.Name, b.Image.Name)}
	b.dir.Path = filepath.Join(b.Temp, "banger-"+b.dir.Name)
	b.files = b.dir.Path
	p, err := b.makeFiles(ctx)
	if err != nil {
		return err
	}
	b.Show(b.qemuCommand(p))
	return nil
}

// prepare takes hold of the image and its kernel, and finds out where the disk
// is to be.
func (b *Boot) prepare(ctx context.Context) (err error) {
	for i := range 2 {
		held, err := stage.Hold(b.source(i))
		if err != nil {
			return err
		}
		b.held = append(b.held, held)
	}
	for _, path := range []string{b.source(0), b.source(1), b.Temp, string(b.Dirs)} {
		if err := checkPath(path); err != nil {
			return err
		}
	}
	if b.kernel, err = b.Image.KernelForQEMU(ctx); err != nil {
		return err
	}
	if b.modules, b.Guest.Modules, err = b.Image.ModulesDisk(); err != nil {
		return err
	}
	if command := b.Image.ModulesCommand(); command != "" {
		b.Note(fmt.Sprintf("%s: made by an older banger, its modules are no disk: the machine has none but those in its initrd", filepath.Base(b.Image.KernelDir())), command)
	}
	if b.scratch, err = scratch(b.Temp); err != nil {
		return err
	}
	b.files = b.scratch.Path
	if b.Keep != "" {
		return b.place()
	}
	return nil
}

// current returns an error if the image or the kernel is no longer the one that
// is held: what is taken by its path has to be of one and the same.
func (b *Boot) current() error {
	for i, held := range b.held {
		if !stage.IsNamed(held, b.source(i)) {
			return status.Hint(status.Errorf(status.Temporary, "%s: replaced during the boot", filepath.Base(b.source(i))), "try again")
		}
	}
	return nil
}

// release removes what was made for one run.
func (b *Boot) release() {
	if b.dir != nil && !b.dry {
		b.dir.Remove()
	}
	if b.scratch != nil {
		b.scratch.Discard()
	}
	if b.locked != nil {
		b.locked.Close()
	}
	for i, dir := range b.held {
		replaced := !stage.IsNamed(dir, b.source(i))
		dir.Close()
		if replaced { // it stayed while it was held
			stage.Sweep(filepath.Dir(b.source(i)))
		}
	}
}

// source returns a directory that is held: the image's, or the kernel's.
func (b *Boot) source(i int) string { return []string{b.Image.Dir, b.Image.KernelDir()}[i] }

func (b *Boot) vmlinux() string { return filepath.Join(b.Image.KernelDir(), b.Image.Kernel.Vmlinux) }

// chooseStreams decides what the streams of a command are: ports of their own
// where it is interactive, and the kernel has a driver for them.
func (b *Boot) chooseStreams() error {
	b.Guest.Terminal = b.Interactive && b.terminal
	if !b.Interactive || b.terminal {
		return nil
	}
	config, modules, err := b.Image.Configuration()
	if err != nil {
		return err
	}
	defer modules.Close()
	b.Guest.Ports = config["VIRTIO_CONSOLE"] == "y" || config["VIRTIO_CONSOLE"] == "m" && modules.Has("virtio_console")
	if !b.Guest.Ports {
		b.Guest.Terminal = true
		b.Note(fmt.Sprintf("kernel %s has no VIRTIO_CONSOLE: the command's streams are the console, which has no end of input", b.Image.Kernel.Release), "")
	}
	return nil
}
