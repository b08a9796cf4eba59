// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"crypto/rand"
	"errors"
	"net"
	"path"
	"sync"
)

// An agentSocket is where the processes of a connection's sessions find the
// client's agent.
type agentSocket struct {
	mu       sync.Mutex
	path     string
	listener *remoteListener // nil before the first session asks for it
	over     bool
}

// agentPath returns the path of the socket at which the client's agent answers.
func (c *conn) agentPath() (string, error) {
	a := &c.agent
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.over:
		return "", errOver
	case c.AgentDir == "":
		return "", errors.New("there is no directory for its socket")
	case a.listener != nil:
		return a.path, nil
	}
	j := c.newJob(doAgentSocket)
	j.Dir = path.Join(c.AgentDir, rand.Text())
	a.path = path.Join(j.Dir, "agent")
	j.Address = []byte(a.path)
	l, err := c.listen(j)
	if err != nil {
		return "", err
	}
	a.listener = l
	l.serve(c, func(from net.Conn) { c.forwarded(from, "auth-agent@openssh.com", nil) })
	return a.path, nil
}

// close removes the socket.
func (a *agentSocket) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.listener != nil {
		a.listener.close()
	}
}
