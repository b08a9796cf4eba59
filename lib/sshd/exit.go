// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"os"

	"golang.org/x/sys/unix"
)

// awaitExit closes p.ended once the process has ended. The Go runtime polls a
// pidfd, so that a waiting process costs no thread: the kernel limits the number
// of threads, and the server would end at that limit.
func (p *process) awaitExit(pidfd int) {
	defer close(p.ended)
	if pidfd >= 0 && p.pollExit(pidfd) == nil {
		return
	}
	for !p.hasExited(0) { // kernels before 5.3 cannot poll
	}
}

// pollExit returns once the process has ended. It closes the pidfd.
func (p *process) pollExit(pidfd int) error {
	err := unix.SetNonblock(pidfd, true) // os.NewFile polls such files only
	f := os.NewFile(uintptr(pidfd), "pidfd")
	defer f.Close()
	if err != nil {
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(uintptr) bool { return p.hasExited(unix.WNOHANG) })
}

// hasExited reports whether the process has ended. It does not reap it.
func (p *process) hasExited(options int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, p.pid, &info, unix.WEXITED|unix.WNOWAIT|options, nil)
	return err == nil && info.Signo != 0 || err == unix.ECHILD
}

// reap waits until the process has ended, and returns how. Its id is free then.
func (p *process) reap() (status unix.WaitStatus) {
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if _, err := unix.Wait4(p.pid, &status, 0, nil); err != unix.EINTR {
			p.reaped = true
			return status
		}
	}
}
