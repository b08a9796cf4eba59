// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// A session is a channel on which a client runs one command, shell or subsystem
// (RFC 4254, section 6).
type session struct {
	conn     *conn
	channel  ssh.Channel
	terminal *terminal // nil without one
	asked    variables
	agent    string // the forwarded agent's socket

	running *process      // nil before, and for a subsystem that has none
	run     func()        // serves the session, once it is started
	gone    chan struct{} // closed when the channel is, or the connection
}

// serveSession returns when the channel is closed and all that it started on the
// server's side is over.
func (c *conn) serveSession(ch ssh.NewChannel) {
	channel, requests, err := ch.Accept()
	if err != nil {
		return
	}
	s := &session{conn: c, channel: channel, gone: make(chan struct{})}
	over := make(chan struct{})
	for r := range requests {
		before := s.run
		ok := s.request(r)
		if r.WantReply {
			r.Reply(ok, nil)
		}
		if before == nil && s.run != nil {
			go func() {
				defer close(over)
				s.run()
				channel.Close()
			}()
		}
	}
	close(s.gone)
	if s.run != nil {
		<-over
	} else if s.terminal != nil {
		s.terminal.close()
	}
	channel.Close()
}

// request does what the client asks for, and reports whether it did.
func (s *session) request(r *ssh.Request) bool {
	switch r.Type {
	case "window-change":
		size, ok := parseSize(r.Payload)
		return ok && s.terminal != nil && s.terminal.resize(size) == nil
	case "signal":
		return s.signal(r.Payload)
	}
	if s.run != nil {
		return false // what follows comes before the session is started
	}
	switch r.Type {
	case "pty-req":
		return s.takeTerminal(r.Payload)
	case "env":
		return s.asked.add(r.Payload)
	case "auth-agent-req@openssh.com":
		return s.takeAgent()
	case "exec":
		command, ok := parseText(r.Payload)
		return ok && s.start(doCommand, command)
	case "shell":
		return s.start(doShell, "")
	case "subsystem":
		name, ok := parseText(r.Payload)
		return ok && s.startSubsystem(name)
	}
	return false
}

// parseText reads the command of an exec request or the name of a subsystem.
func parseText(payload []byte) (text string, ok bool) {
	var m struct{ Text string }
	err := ssh.Unmarshal(payload, &m)
	return m.Text, err == nil
}

func (s *session) takeTerminal(payload []byte) bool {
	r, ok := parseTerminalRequest(payload)
	if !ok || s.terminal != nil {
		return false
	}
	t, err := s.conn.openTerminal(r)
	if err != nil {
		s.conn.logf("open a terminal: %v", err)
		return false
	}
	s.terminal = t
	return true
}

func (s *session) takeAgent() bool {
	path, err := s.conn.agentPath()
	if err != nil {
		s.conn.logf("forward an agent: %v", err)
		return false
	}
	s.agent = path
	return true
}

// signal sends the session's processes a signal, by its name without SIG. Those
// in the foreground get it where there is a terminal, as if a key sent it.
func (s *session) signal(payload []byte) bool {
	name, ok := parseText(payload)
	number := unix.SignalNum("SIG" + name)
	if !ok || number == 0 || s.running == nil {
		return false
	}
	group := s.running.pid
	if s.terminal != nil {
		if foreground, err := s.terminal.foreground(); err == nil && foreground > 1 {
			group = foreground
		}
	}
	s.running.signal(number, group)
	return true
}
