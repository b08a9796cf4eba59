// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
	"banger/lib/sshd"
)

// supervise runs a command as docker run does, and returns its status once it
// has ended. Orphans are reaped.
func (m *machine) supervise(plan guest.Plan) (status int, err error) {
	id, err := guest.Identify(dirRoot("/"), plan.User)
	if err != nil {
		return cannotRun, err
	}
	dir := filepath.Join("/", m.config.WorkingDir)
	if err := makeDir(dir); err != nil {
		return cannotRun, err
	}
	if m.original != nil {
		m.original.settle("/")
	}
	stop, err := stopSignal(m.config.StopSignal)
	if err != nil {
		say("StopSignal: %v: SIGTERM it is", err)
		stop = unix.SIGTERM
	}
	s, err := m.openStreams(id)
	if err != nil {
		return cannotRun, err
	}
	raiseLimit()
	hostname, _ := os.Hostname()
	child, err := start(launch{
		Args: plan.Args, Dir: dir, UID: id.UID, GID: id.GID, Groups: id.Groups, OwnPIDs: plan.OwnPIDs(),
		Env: sshd.MergeEnv(usual(id.Home, hostname, s.terminal, os.Environ()), m.config.Env, m.wishes.Env),
	}, s)
	s.close()
	if child == 0 {
		return cannotRun, err
	}
	if err == nil {
		m.agent.started()
	}
	go passOn(m.asked, child, stop, stopTime)
	status, waitErr := wait(child)
	return status, errors.Join(err, waitErr)
}

// makeDir makes the directory that a command is run in, if it is absent.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("working directory %q: %w", dir, cause(err))
	}
	return nil
}

// cause returns what is behind an error of a path, or of two.
func cause(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	if e := (*os.LinkError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// maxFiles is how many files a command may open, as in Docker's containers.
const maxFiles = 1048576

// raiseLimit raises the limit of open files, as far as the kernel allows. That
// of an init is left as it is.
func raiseLimit() {
	limit := uint64(maxFiles)
	text, _ := os.ReadFile("/proc/sys/fs/nr_open")
	if most, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
		limit = min(limit, most)
	}
	// By this call, the Go runtime knows that children are to inherit the limit.
	syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: limit})
}

// wait reaps children until one of them, the command, has ended.
func wait(child int) (status int, err error) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return cannotRun, fmt.Errorf("wait: %w", err)
		case pid == child && ws.Exited():
			return ws.ExitStatus(), nil
		case pid == child && ws.Signaled():
			return 128 + int(ws.Signal()), nil
		}
	}
}

// reapUntil reaps children until the machine is asked to end.
func reapUntil(asked <-chan os.Signal) {
	go func() {
		for {
			// It fails while there is no child: the agent may have been the last.
			if _, err := unix.Wait4(-1, nil, 0, nil); errors.Is(err, unix.ECHILD) {
				return
			}
		}
	}()
	<-asked
}
