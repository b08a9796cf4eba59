// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

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
	fd := tty.Fd()
	child, err := syscall.ForkExec(path, run.Args, &syscall.ProcAttr{
		Dir: run.Dir, Env: env.list(), Files: []uintptr{fd, fd, fd},
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0},
	})
	if err != nil {
		return notExecutable, fmt.Errorf("%s: %w", run.Args[0], explainExec(path, err))
	}
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

// vars are environment variables.
type vars map[string]string

// environment is that of a command: the usual one, over it the terminal that
// the kernel was told of, over it what the image says.
func environment(kernel, image []string) vars {
	env := vars{"PATH": usualPath, "HOME": "/root", "TERM": "linux"}
	for _, pair := range kernel {
		if name, value, _ := strings.Cut(pair, "="); name == "TERM" {
			env[name] = value
		}
	}
	for _, pair := range image {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return env
}

func (v vars) list() (pairs []string) {
	for name, value := range v {
		pairs = append(pairs, name+"="+value)
	}
	return pairs
}

// lookup finds a command as a shell would, seen from a directory. If it does
// not, it says which status that is.
func lookup(command, dir, path string) (found string, status int, err error) {
	candidates := []string{command}
	if !strings.Contains(command, "/") {
		candidates = nil
		for _, in := range filepath.SplitList(path) {
			candidates = append(candidates, filepath.Join(in, command))
		}
	}
	status, err = notFound, fs.ErrNotExist
	for _, c := range candidates {
		from := c
		if !filepath.IsAbs(c) {
			from = filepath.Join("/", dir, c)
		}
		switch info, e := os.Stat(from); {
		case e != nil:
		case info.IsDir() || info.Mode()&0o111 == 0:
			status, err = notExecutable, fs.ErrPermission
		default:
			return from, 0, nil
		}
	}
	return "", status, fmt.Errorf("%s: %w", command, err)
}

// explainExec says why a program that is there could not be run.
func explainExec(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && exists(path):
		return errors.New("the loader or interpreter that it asks for is not in the image")
	case errors.Is(err, unix.ENOEXEC):
		return errors.New("neither a program for this processor nor a script that names its interpreter")
	}
	return err
}
