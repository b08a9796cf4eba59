// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process is a helper, and what it becomes.
type process struct {
	pid     int
	started chan struct{} // closed once it does its job
	ended   chan struct{} // closed once it has ended; its id stays taken

	mu     sync.Mutex
	reaped bool
}

// start starts a helper with a job of a session and these streams. With a
// terminal, that is its controlling terminal.
func (c *conn) start(j job, streams []*os.File, terminal bool) (*process, error) {
	if !c.starting.wait(c.ctx) {
		return nil, errOver
	}
	p, socket, err := c.fork(j, streams, terminal)
	if err != nil {
		c.starting.release()
		return nil, err
	}
	go func() {
		awaitEnd(socket)
		socket.Close()
		close(p.started)
		c.starting.release()
	}()
	return p, nil
}

// awaitEnd waits for the end of a helper's stream, for maxStartTime.
func awaitEnd(socket *net.UnixConn) {
	socket.SetReadDeadline(time.Now().Add(maxStartTime))
	socket.Read(make([]byte, 1))
}

// fork starts a helper in a session of its own and gives it a job.
func (s *Server) fork(j job, streams []*os.File, terminal bool) (*process, *net.UnixConn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	fds := make([]uintptr, 0, jobFD+1)
	for _, f := range append(streams, theirs) {
		fds = append(fds, f.Fd())
	}
	pidfd := -1
	pid, err := syscall.ForkExec(s.Helper[0], s.Helper[1:], &syscall.ProcAttr{
		Dir: "/", Files: fds, Sys: &syscall.SysProcAttr{Setsid: true, Setctty: terminal, PidFD: &pidfd},
	})
	if err != nil {
		ours.Close()
		return nil, nil, fmt.Errorf("start a process: %w", err)
	}
	p := &process{pid: pid, started: make(chan struct{}), ended: make(chan struct{})}
	go p.awaitExit(pidfd)
	ours.SetWriteDeadline(time.Now().Add(maxStartTime))
	ours.Write(j.marshal()) // if this fails, the helper says so to the user
	return p, ours, nil
}

// socketPair returns the ends of a unix stream socket.
func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	file := os.NewFile(uintptr(fds[0]), "job")
	defer file.Close()
	theirs = os.NewFile(uintptr(fds[1]), "job")
	c, err := net.FileConn(file)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return c.(*net.UnixConn), theirs, nil
}
