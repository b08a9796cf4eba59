// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// fileMask is the umask of sessions.
const fileMask = 0o022

// The statuses of a command that was not run, as a shell has them.
const (
	cannotStart   = 125 // something before the command failed
	notExecutable = 126
	notFound      = 127
)

// RunHelper is what the program of [Server.Helper] does: it reads a job from a
// descriptor that the server has given it, and does it. It returns the
// status to exit with, or does not return.
func RunHelper() (status int) {
	unix.CloseOnExec(jobFD)
	file := os.NewFile(jobFD, "job")
	var j job
	if err := json.NewDecoder(file).Decode(&j); err != nil {
		return complain(cannotStart, fmt.Errorf("no job: %w", err))
	}
	resetSignals()
	if err := j.enter(); err != nil {
		return complain(cannotStart, err)
	}
	switch j.Do {
	case doCommand, doShell:
		return complain(j.become())
	case doSFTP:
		file.Close()
		return complain(serveSFTP())
	}
	c, err := net.FileConn(file)
	if err != nil {
		return complain(cannotStart, err)
	}
	file.Close()
	return j.give(c.(*net.UnixConn))
}

// complain tells the user of an error.
func complain(status int, err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return status
}

// resetSignals undoes what the server ignores, which exec would keep: exec gives
// those that are caught their default.
func resetSignals() {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGPIPE, unix.SIGTERM)
	go func() {
		<-caught
		os.Exit(cannotStart)
	}()
}

// enter takes the root directory and the user. The kernel kills what runs in a
// session as it kills any program, and not the server, when memory is short.
func (j job) enter() error {
	os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0)
	unix.Umask(fileMask)
	if j.Root != "" {
		if err := unix.Chroot(j.Root); err != nil {
			return fmt.Errorf("root directory %s: %w", j.Root, err)
		}
	}
	if j.Do == doAgentSocket { // its directory is in one of root's
		return nil
	}
	if err := j.setUser(); err != nil {
		return fmt.Errorf("become user %d, group %d: %w", j.UID, j.GID, err)
	}
	if unix.Chdir(string(j.Home)) == nil {
		return nil
	}
	return unix.Chdir("/") // the home may not be there, as in a container
}

// setUser gives up what root may do, unless the user is root.
func (j job) setUser() error {
	return errors.Join(syscall.Setgroups(j.Groups), syscall.Setresgid(j.GID, j.GID, j.GID), syscall.Setresuid(j.UID, j.UID, j.UID))
}
