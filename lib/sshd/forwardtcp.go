// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"context"
	"math"
	"net"
	"strconv"

	"golang.org/x/crypto/ssh"
)

// A tcpAddress is an address in a client's requests.
type tcpAddress struct {
	Host string
	Port uint32
}

func (a tcpAddress) valid() bool { return len(a.Host) <= maxHost && a.Port <= math.MaxUint16 }

func (a tcpAddress) join() string {
	return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

// maxHost is how many bytes the name of a host may have: those of a domain name.
const maxHost = 255

// parseDirectTCP reads to where a client wants to connect (RFC 4254, section 7.2).
func parseDirectTCP(payload []byte) (to tcpAddress, ok bool) {
	var m struct {
		Host       string
		Port       uint32
		Originator string
		FromPort   uint32
	}
	err := ssh.Unmarshal(payload, &m)
	to = tcpAddress{m.Host, m.Port}
	return to, err == nil && to.valid()
}

// directTCP connects to a TCP port for a client.
func (c *conn) directTCP(ch ssh.NewChannel) {
	to, ok := parseDirectTCP(ch.ExtraData())
	if !ok {
		ch.Reject(ssh.ConnectionFailed, "not an address")
		return
	}
	s, err := dialTCP(c.ctx, to)
	if err != nil {
		ch.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	connected(ch, s)
}

// dialTCP connects to an address. localhost needs no /etc/hosts.
func dialTCP(ctx context.Context, to tcpAddress) (s stream, err error) {
	hosts := []string{to.Host}
	if to.Host == "localhost" {
		hosts = []string{"::1", "127.0.0.1"} // the error is of the last one
	}
	d := net.Dialer{Timeout: maxDialTime}
	for _, host := range hosts {
		var c net.Conn
		if c, err = d.DialContext(ctx, "tcp", tcpAddress{host, to.Port}.join()); err == nil {
			return c.(*net.TCPConn), nil
		}
	}
	return nil, err
}

// parseTCPForward reads where a client wants connections accepted (RFC 4254,
// section 7.1).
func parseTCPForward(payload []byte) (at tcpAddress, ok bool) {
	err := ssh.Unmarshal(payload, &at)
	return at, err == nil && at.valid()
}

// forwardTCP accepts connections to a TCP port for a client. For port 0 it answers
// which one it is.
func (c *conn) forwardTCP(payload []byte) (ok bool, data []byte) {
	at, ok := parseTCPForward(payload)
	if !ok {
		return false, nil
	}
	j := c.newJob(doListenTCP)
	host := at.Host
	if host == "*" {
		host = ""
	}
	j.Address = []byte(tcpAddress{host, at.Port}.join())
	l, err := c.listen(j)
	if err != nil {
		c.logf("listen on %q: %v", j.Address, err)
		return false, nil
	}
	if at.Port == 0 {
		at.Port = port(l.sockets[0].Addr())
		data = ssh.Marshal(struct{ Port uint32 }{at.Port})
	}
	if err := c.forwards.add(at.name(), l); err != nil {
		l.close()
		return false, nil
	}
	l.serve(c, func(from net.Conn) {
		c.forwarded(from, "forwarded-tcpip", at.forwardedFrom(from.RemoteAddr()))
	})
	return true, data
}

func (a tcpAddress) name() string { return "tcp " + a.join() }

// forwardedFrom tells a client of a connection.
func (a tcpAddress) forwardedFrom(from net.Addr) []byte {
	host, _ := hostPort(from)
	return ssh.Marshal(struct {
		Host       string
		Port       uint32
		Originator string
		FromPort   uint32
	}{a.Host, a.Port, host, port(from)})
}

func port(a net.Addr) uint32 {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return uint32(tcp.Port)
	}
	return 0
}

func (c *conn) cancelTCP(payload []byte) bool {
	at, ok := parseTCPForward(payload)
	return ok && c.forwards.remove(at.name())
}
