// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// A process is a program that ends when this one does, however that ends.
type process struct {
	*os.Process
	ended chan struct{} // closed when it has
	state *os.ProcessState
}

// start starts a command. foreground leaves it in the process group that a
// terminal sends signals to, and lets read.
func start(cmd *exec.Cmd, foreground bool) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: !foreground}
	p := &process{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The signal is sent when the thread ends that has started it
		// (PR_SET_PDEATHSIG(2const)).
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		p.Process = cmd.Process
		started <- err
		if err == nil {
			cmd.Wait()
			p.state = cmd.ProcessState
			close(p.ended)
		}
	}()
	return p, <-started
}

// killPatience is how long QEMU may take to end after SIGTERM.
const killPatience = 3 * time.Second

// end ends the process, if need be by force.
func (p *process) end() {
	p.Signal(syscall.SIGTERM)
	time.AfterFunc(killPatience, func() { p.Kill() })
}
