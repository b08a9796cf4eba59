// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"net"

	"golang.org/x/crypto/ssh"
)

// Unix sockets are forwarded as OpenSSH's PROTOCOL has it, section 2.4.

// parseDirectUnix reads the path to which a client wants to connect.
func parseDirectUnix(payload []byte) (path string, ok bool) {
	var m struct {
		Path, Reserved string
		ReservedToo    uint32
	}
	err := ssh.Unmarshal(payload, &m)
	return m.Path, err == nil
}

// directUnix connects to a unix socket for a client.
func (c *conn) directUnix(ch ssh.NewChannel) {
	path, ok := parseDirectUnix(ch.ExtraData())
	if !ok {
		ch.Reject(ssh.ConnectionFailed, "not a path")
		return
	}
	s, err := c.dialUnix(path)
	if err != nil {
		ch.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	connected(ch, s)
}

// dialUnix has a helper connect to a unix socket.
func (c *conn) dialUnix(path string) (stream, error) {
	j := c.newJob(doDial)
	j.Address = []byte(path)
	files, held, err := c.openSockets(j)
	if err != nil {
		return nil, err
	}
	held.Close()
	defer files[0].Close()
	s, err := net.FileConn(files[0])
	if err != nil {
		return nil, err
	}
	return s.(*net.UnixConn), nil
}

// forwardUnix accepts connections to a unix socket for a client.
func (c *conn) forwardUnix(payload []byte) bool {
	path, ok := parseText(payload)
	if !ok {
		return false
	}
	j := c.newJob(doListen)
	j.Address = []byte(path)
	l, err := c.listen(j)
	if err != nil {
		c.logf("listen on %.256q: %v", path, err)
		return false
	}
	if err := c.forwards.add(unixName(path), l); err != nil {
		l.close()
		return false
	}
	l.serve(c, func(from net.Conn) {
		c.forwarded(from, "forwarded-streamlocal@openssh.com", ssh.Marshal(struct{ Path, Reserved string }{path, ""}))
	})
	return true
}

func unixName(path string) string { return "unix " + path }

func (c *conn) cancelUnix(payload []byte) bool {
	path, ok := parseText(payload)
	return ok && c.forwards.remove(unixName(path))
}
