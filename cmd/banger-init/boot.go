// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// What a machine ends with when its command did not: as env(1) has it.
const (
	cannotRun     = 125 // something before the command failed
	notExecutable = 126
	notFound      = 127
)

// boot brings the machine up and returns once its command has ended, with the
// status to report. Where the image has an init, it does not return.
func boot() (status int, err error) {
	if err := mountKernels(); err != nil {
		return cannotRun, err
	}
	openConsole()
	loadModules("/" + guest.ModulesDir)
	raw, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return cannotRun, err
	}
	line := parseCmdline(string(raw))
	run, err := readRun("/" + guest.RunFile)
	if err != nil {
		return cannotRun, err
	}
	if err := enterRoot(line); err != nil {
		return cannotRun, err
	}
	if run == nil {
		if err := becomeInit(line); err != nil {
			return cannotRun, err
		}
		if run, err = shell(); err != nil {
			return cannotRun, err
		}
	}
	return runUnder(run, line)
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

// readRun reads what to run in place of an init, nil for nothing.
func readRun(path string) (*guest.Run, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	run := new(guest.Run)
	if err == nil {
		err = json.Unmarshal(raw, run)
	}
	if err == nil && len(run.Args) == 0 {
		err = errors.New("no command in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return run, nil
}

// becomeInit starts the image's init in this process: the one that the command
// line names, else the first that the kernel would look for (init/main.c). It
// returns without an error if there is none.
func becomeInit(line cmdline) error {
	if said, is := line["init"]; is {
		return execFirst([]string{said}, said != "")
	}
	return execFirst([]string{"/sbin/init", "/etc/init", "/bin/init"}, false)
}

// execFirst becomes the first of some programs that is there; if must, it is an
// error that none is. Symlinks that lead nowhere, or round in a circle, are not
// there.
func execFirst(inits []string, must bool) error {
	for _, path := range inits {
		err := unix.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
		if must || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ELOOP) {
			return fmt.Errorf("%s: %w", path, explainExec(path, err))
		}
		if exists(path) {
			say("%s: %v", path, explainExec(path, err))
		}
	}
	return nil
}

// shell is what is run where there is neither an init nor a command.
func shell() (*guest.Run, error) {
	if !exists("/bin/sh") {
		return nil, errors.New("the image has neither an init nor a shell: banger boot NAME -- PROGRAM runs one of its programs")
	}
	say("the image has no init: this is a shell; when it ends, the machine does")
	return &guest.Run{Args: []string{"/bin/sh", "-i"}}, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
