// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// runUnder runs a command as a child of this process, with the console as its
// terminal, and returns its status once it has ended. Orphans are reaped.
func runUnder(run *guest.Run, line cmdline) (status int, err error) {
	furnish()
	env := environment(os.Environ(), run.Env)
	path, status, err := lookup(run.Args[0], run.Dir, env["PATH"])
	if err != nil {
		return status, err
	}
	if err := os.MkdirAll(filepath.Join("/", run.Dir), 0o755); err != nil {
		return cannotRun, err
	}
	tty, err := openTerminal(line.has("banger.raw"))
	if err != nil {
		return cannotRun, err
	}
	asked := requests()
	fd := tty.Fd()
	child, err := syscall.ForkExec(path, run.Args, &syscall.ProcAttr{
		Dir: run.Dir, Env: env.list(), Files: []uintptr{fd, fd, fd},
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0},
	})
	if err != nil {
		return notExecutable, fmt.Errorf("%s: %w", run.Args[0], explainExec(path, err))
	}
	go passOn(asked, child)
	return wait(child)
}

// furnish gives a command what it finds on any running system.
func furnish() {
	unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755")
	unix.Mount("tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
	os.Mkdir("/dev/pts", 0o755)
	unix.Mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "ptmxmode=0666")
	loopbackUp()
}

// loopbackUp makes 127.0.0.1 reachable (netdevice(7)).
func loopbackUp() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if lo, err := unix.NewIfreq("lo"); err == nil {
		lo.SetUint16(unix.IFF_UP)
		unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
	}
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
