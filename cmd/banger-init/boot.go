// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/guest"
	"banger/lib/input"
)

// The status of a machine whose command was not run, as docker run has it.
const (
	cannotRun     = 125 // something before the command failed
	notExecutable = 126
	notFound      = 127
)

// A machine is what process 1 knows of the machine that it brings up.
type machine struct {
	line   cmdline
	config v1.ImageConfig // of the image
	wishes guest.Machine
	name   string // the hostname, "" if none was given

	credentials []guest.Credential
	script      []byte    // of a build
	original    *original // of the disk of a build, else nil
	times       guest.Times

	agent *agent
	asked <-chan os.Signal // requests to end the machine
	ports *ports           // of the command, if any
}

// boot brings the machine up and returns once its command has ended, with the
// status to report. Where the image has an init, it returns only if that cannot
// be run.
func (m *machine) boot() (status int, err error) {
	if err := mountKernels(); err != nil {
		return cannotRun, err
	}
	openConsole()
	loadModules("/" + guest.ModulesDir)
	raw, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return cannotRun, err
	}
	m.line = parseCmdline(string(raw))
	if err := m.read("/"); err != nil {
		return cannotRun, err
	}
	if err := m.enterRoot(); err != nil {
		return cannotRun, err
	}
	growRoot(m.rootDevice())
	m.times.Root = sinceBoot()
	mountRun()
	mountModules(m.wishes.Modules)
	if err := provideCredentials(systemCredentials, m.credentials); err != nil {
		say("credentials: %v", err)
	}
	if err := provideScript(m.script); err != nil {
		return cannotRun, err
	}
	return m.run()
}

// read reads the documents of an initrd. Each may be absent.
func (m *machine) read(dir string) error {
	var image v1.Image
	if err := readDocument(filepath.Join(dir, guest.ConfigFile), &image); err != nil {
		return err
	}
	m.config = image.Config
	var err error
	if m.credentials, err = readCredentials(filepath.Join(dir, guest.CredentialsDir)); err != nil {
		return err
	}
	if m.script, err = os.ReadFile(filepath.Join(dir, guest.ScriptFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return readDocument(filepath.Join(dir, guest.MachineFile), &m.wishes)
}

// provideScript writes the script of a build to the memory of the guest.
func provideScript(text []byte) error {
	if text == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(guest.ScriptPath), 0o755); err != nil {
		return err
	}
	return os.WriteFile(guest.ScriptPath, text, 0o700)
}

func readDocument(path string, into any) error {
	raw, err := input.ReadFile(path, input.MaxDocument)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := input.Unmarshal(raw, into, input.MaxValues); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// mountKernels mounts the filesystems by which the kernel is spoken to.
func mountKernels() error {
	for _, m := range []struct{ kind, on string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}} {
		if err := unix.Mount(m.kind, m.on, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.on, err)
		}
	}
	return nil
}

// openConsole makes the console the standard streams: a kernel that found none
// in the ramdisk has left them closed.
func openConsole() {
	fd, err := unix.Open("/dev/console", unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return
	}
	for _, stream := range []int{0, 1, 2} {
		unix.Dup3(fd, stream, 0)
	}
	unix.Close(fd)
}

// mountRun mounts /run, for every rule: banger's own files are there, and inits
// keep a filesystem that they find.
func mountRun() {
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		say("mount tmpfs on /run: %v", err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
