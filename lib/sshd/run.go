// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// start starts a command, a shell or sftp, and reports whether it did.
func (s *session) start(do, command string) bool {
	j := s.conn.newJob(do)
	j.Command = []byte(command)
	j.Terminal = s.terminal != nil
	for _, pair := range s.environment() {
		j.Env = append(j.Env, []byte(pair))
	}
	var err error
	if s.terminal != nil {
		err = s.startOnTerminal(j)
	} else {
		err = s.startOnPipes(j)
	}
	s.asked = variables{}
	if err != nil {
		s.conn.logf("start a session: %v", err)
	}
	return err == nil
}

// startOnTerminal starts a process on the terminal.
func (s *session) startOnTerminal(j job) error {
	t := s.terminal
	p, err := s.conn.start(j, []*os.File{t.slave, t.slave, t.slave}, true)
	if err != nil {
		return err
	}
	t.closeSlave()
	s.running = p
	s.run = func() { s.serveTerminal(p) }
	return nil
}

// serveTerminal returns once the process has ended. A process in the background
// that has the terminal does not keep the session open.
func (s *session) serveTerminal(p *process) {
	master := s.terminal.master
	go take(master, s.channel)
	sent := make(chan struct{})
	go func() {
		send(s.channel, master)
		close(sent)
	}()
	select {
	case <-p.ended:
		master.SetReadDeadline(time.Now())
		select {
		case <-sent:
		case <-s.gone:
		}
	case <-s.gone:
	}
	s.finish(p, func() { master.Close() })
}

// startOnPipes starts a process whose streams are pipes.
func (s *session) startOnPipes(j job) error {
	ours, theirs, err := s.conn.account.newPipes()
	if err != nil {
		return err
	}
	p, err := s.conn.start(j, theirs, false)
	closeAll(theirs)
	if err != nil {
		ours.close()
		return err
	}
	s.running = p
	s.run = func() { s.servePipes(p, ours) }
	return nil
}

// servePipes returns once the process has ended and all that has its output has
// closed that, as OpenSSH's sshd does, or once the client is gone.
func (s *session) servePipes(p *process, files *pipes) {
	go func() {
		take(files.in, s.channel)
		files.in.Close()
	}()
	var sending sync.WaitGroup
	sending.Go(func() {
		send(s.channel, files.out)
		files.out.Close()
	})
	sending.Go(func() {
		send(s.channel.Stderr(), files.err)
		files.err.Close()
	})
	over := make(chan struct{})
	go func() {
		sending.Wait()
		<-p.ended
		close(over)
	}()
	select {
	case <-over:
	case <-s.gone:
	}
	s.finish(p, files.close)
}

// finish ends a session: it tells the client how the process ended or, if the
// client is gone, the process.
func (s *session) finish(p *process, closeFiles func()) {
	select {
	case <-s.gone:
		p.hangUp()
	default:
	}
	closeFiles()
	status := p.reap()
	s.channel.SendRequest(exitMessage(status))
	s.channel.CloseWrite()
}

// exitMessage returns the request that tells how a process ended (RFC 4254,
// section 6.10).
func exitMessage(status unix.WaitStatus) (name string, wantReply bool, payload []byte) {
	if !status.Signaled() {
		return "exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status.ExitStatus())})
	}
	signal := strings.TrimPrefix(unix.SignalName(status.Signal()), "SIG")
	if signal == "" { // a real-time signal, which has no name in the RFC
		signal = fmt.Sprintf("%d@banger", status.Signal())
	}
	return "exit-signal", false, ssh.Marshal(struct {
		Signal        string
		CoreDumped    bool
		Message, Lang string
	}{signal, status.CoreDump(), "", ""})
}
