// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// signal sends a signal to a group of processes: the process and what it started,
// or the group that has the terminal.
func (p *process) signal(sig unix.Signal, group int) {
	<-p.started // until then, the helper would take it
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		unix.Kill(-group, sig)
	}
}

// kill ends the process.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		unix.Kill(p.pid, unix.SIGKILL)
	}
}

// hangUp tells the session's processes that the client is gone, those in the
// background too. Those that are stopped go on, to take notice.
func (p *process) hangUp() {
	<-p.started
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return // its id may be another's
	}
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGCONT} {
		unix.Kill(-p.pid, sig)
		for _, pid := range members(p.pid) {
			unix.Kill(pid, sig)
		}
	}
}

// members returns the processes of a session, if there is a /proc.
func members(session int) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// proc_pid_stat(5): the name, in parentheses, may hold anything.
		var state string
		var parent, group, id int
		after := string(text[strings.LastIndexByte(string(text), ')')+1:])
		if _, err := fmt.Sscan(after, &state, &parent, &group, &id); err != nil || id != session {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
