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

// The exit status of a machine whose command did not run, as of env(1).
const (
	cannotRun     = 125 // something before the command failed
	notExecutable = 126
	notFound      = 127
)

// boot boots the machine and runs its command. It returns the exit status of the
// command. If there is none and the image has an init, it does not return.
func boot() (status int, err error) {
	if err := mountPseudo(); err != nil {
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
	return supervise(run, line)
}

// mountPseudo mounts devtmpfs, proc and sysfs.
func mountPseudo() error {
	for _, m := range []struct{ kind, on string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}} {
		if err := unix.Mount(m.kind, m.on, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.on, err)
		}
	}
	return nil
}

// openConsole makes the console the standard streams: without /dev/console in the
// initrd, the kernel leaves them closed.
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

// readRun reads the command to run instead of an init, or nil.
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
		err = errors.New("no command")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return run, nil
}

// becomeInit executes the image's init: the one on the kernel command line, or the
// first that the kernel would try (init/main.c). It returns nil if there is none.
func becomeInit(line cmdline) error {
	if init, ok := line["init"]; ok {
		return execFirst([]string{init}, init != "")
	}
	return execFirst([]string{"/sbin/init", "/etc/init", "/bin/init"}, false)
}

// execFirst executes the first program that exists. If none exists, that is an
// error if must is set. A dangling or circular symlink does not exist.
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

// shell returns the command for an image without an init.
func shell() (*guest.Run, error) {
	if !exists("/bin/sh") {
		return nil, errors.New("the image has neither an init nor a shell: banger boot NAME -- PROGRAM runs one of its programs")
	}
	say("the image has no init: starting a shell; the machine ends when it exits")
	return &guest.Run{Args: []string{"/bin/sh", "-i"}}, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
