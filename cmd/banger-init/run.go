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

// supervise runs a command as a child with the console as its terminal, reaps
// orphans, and returns the command's exit status.
func supervise(run *guest.Run, line cmdline) (status int, err error) {
	mountRuntime()
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
	go forward(asked, child)
	return wait(child)
}

// mountRuntime mounts /run, /tmp and /dev/pts and sets up loopback for a command.
func mountRuntime() {
	unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755")
	unix.Mount("tmpfs", "/tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
	os.Mkdir("/dev/pts", 0o755)
	unix.Mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "ptmxmode=0666")
	loopbackUp()
}

// loopbackUp brings up the loopback interface (netdevice(7)).
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

// wait reaps children until the command has exited.
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
