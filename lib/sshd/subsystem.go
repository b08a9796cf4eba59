// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"io"

	"golang.org/x/sys/unix"
)

// A Subsystem serves a subsystem to a user and returns its exit status. In ends
// when the client has sent all or is gone.
type Subsystem func(user Account, in io.Reader, out io.Writer) (status int)

// startSubsystem starts sftp, or what the server's caller has given.
func (s *session) startSubsystem(name string) bool {
	if name == "sftp" {
		return s.start(doSFTP, "")
	}
	serve, ok := s.conn.Subsystems[name]
	if !ok || s.terminal != nil {
		return false
	}
	s.run = func() {
		status := serve(s.conn.account, s.channel, s.channel)
		s.channel.SendRequest(exitMessage(unix.WaitStatus(status & 0xff << 8)))
		s.channel.CloseWrite()
	}
	return true
}
