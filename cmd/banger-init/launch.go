// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// launcherName is the argv[0] of the launcher, the process that becomes the
// command. It reads what to run from a descriptor, and writes errors to another.
const launcherName = "@banger-launch"

// The launcher's descriptors beside the streams.
const (
	launchFD = 3 // a launch
	failedFD = 4 // for a text: what has failed; closed by exec
)

// maxFailure is how many bytes of that text are read.
const maxFailure = 64 << 10

// A launch is a command and as whom it runs.
type launch struct {
	Args, Env []string
	Dir       string
	UID, GID  int
	Groups    []int
	OwnPIDs   bool // as process 1 of a PID namespace
}

// start starts a command in a session of its own, with these streams. It returns
// once the command runs, or with an error that says why it does not; child is 0
// if there is nothing to wait for.
func start(l launch, s *streams) (child int, err error) {
	raw, err := json.Marshal(l)
	if err != nil {
		return 0, err
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer tell.Close()
	failed, fail, err := os.Pipe()
	if err != nil {
		told.Close()
		return 0, err
	}
	defer failed.Close()
	attr := &syscall.SysProcAttr{Setsid: true, Setctty: s.terminal, Ctty: 1}
	if l.OwnPIDs {
		attr.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS
	}
	child, err = syscall.ForkExec("/proc/self/exe", []string{launcherName}, &syscall.ProcAttr{
		Env: os.Environ(), Files: append(s.fds(), told.Fd(), fail.Fd()), Sys: attr, // launchFD, failedFD
	})
	told.Close()
	fail.Close()
	if err != nil {
		return 0, fmt.Errorf("start a process: %w", err)
	}
	tell.Write(raw)
	tell.Close()
	text, err := io.ReadAll(io.LimitReader(failed, maxFailure))
	if err == nil && len(text) > 0 {
		err = errors.New(string(text))
	}
	return child, err
}

// runLauncher becomes the command. It returns only if that fails.
func runLauncher() (status int) {
	unix.CloseOnExec(launchFD)
	unix.CloseOnExec(failedFD)
	var l launch
	err := json.NewDecoder(os.NewFile(launchFD, "launch")).Decode(&l)
	if err != nil {
		return outside(nil) // started by hand
	}
	status, err = l.become()
	io.WriteString(os.NewFile(failedFD, "failed"), err.Error())
	return status
}

// become takes the directory, the user and then the program.
func (l launch) become() (status int, err error) {
	if l.OwnPIDs {
		if err := ownProc(); err != nil {
			return cannotRun, fmt.Errorf("mount /proc for %s: %w", guest.Quote(l.Args[0]), err)
		}
	}
	if err := os.Chdir(l.Dir); err != nil {
		return cannotRun, fmt.Errorf("working directory %q: %w", l.Dir, cause(err))
	}
	if err := l.setUser(); err != nil {
		return cannotRun, fmt.Errorf("become user %d, group %d: %w", l.UID, l.GID, err)
	}
	program, status, err := lookup(l.Args[0], l.Dir, guest.SearchPath(l.Env))
	if err != nil {
		return status, err
	}
	err = unix.Exec(program, l.Args, l.Env)
	return notExecutable, fmt.Errorf("%s: %w", guest.Quote(l.Args[0]), explainExec(program, err))
}

// setUser gives up what root may do, unless the user is root.
func (l launch) setUser() error {
	return errors.Join(syscall.Setgroups(l.Groups), syscall.Setresgid(l.GID, l.GID, l.GID), syscall.Setresuid(l.UID, l.UID, l.UID))
}

// ownProc mounts the /proc of a new PID namespace, for the processes in it only.
func ownProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}
