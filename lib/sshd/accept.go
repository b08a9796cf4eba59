// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"errors"
	"net"
	"os"
	"time"
)

// accept passes on each connection to a listener, until it is closed. Too many
// open files, and what else may pass, does not end it.
func (s *Server) accept(l net.Listener, handle func(net.Conn)) error {
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			handle(c)
		case errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed):
			return err
		default:
			s.logf("accept: %v", err)
			time.Sleep(time.Second)
		}
	}
}
