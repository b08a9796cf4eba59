// SPDX-License-Identifier: Apache-2.0

package faultproxy

import (
	"net"
	"sync"
	"time"
)

const (
	// sendBuffer is small, so that few bytes are on their way when a connection is
	// cut.
	sendBuffer = 64 << 10
	// chunk is how much is written at a time.
	chunk = 32 << 10
	// credit is how late a write may be and still be made up for by the next ones:
	// timers are late on a busy machine.
	credit = 50 * time.Millisecond
)

// A listener counts connections and limits their rate.
type listener struct {
	net.Listener
	p *Proxy
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.p.conns.Add(1)
	if err := c.(*net.TCPConn).SetWriteBuffer(sendBuffer); err != nil {
		c.Close()
		return nil, err
	}
	return &conn{Conn: c, p: l.p}, nil
}

// A conn is a connection to a client.
type conn struct {
	net.Conn
	p    *Proxy
	next time.Time // of the next write
}

func (c *conn) Write(b []byte) (n int, err error) {
	for len(b) > 0 && err == nil {
		var done int
		done, err = c.write(b[:min(len(b), chunk)])
		n, b = n+done, b[done:]
	}
	return n, err
}

// write writes one chunk.
func (c *conn) write(b []byte) (int, error) {
	c.pace(len(b))
	wire := c.p.wire.Add(int64(len(b))) // before the client can have them
	n, err := c.Conn.Write(b)
	c.p.wire.Add(int64(n - len(b)))
	c.p.alarm.check(wire)
	return n, err
}

// pace waits until the rate allows n bytes.
func (c *conn) pace(n int) {
	if c.p.Rate == 0 {
		return
	}
	now := time.Now()
	if earliest := now.Add(-credit); c.next.Before(earliest) {
		c.next = earliest
	}
	c.next = c.next.Add(time.Duration(n) * time.Second / time.Duration(c.p.Rate))
	time.Sleep(c.next.Sub(now))
}

// An alarm calls a function once, when a number of bytes is reached.
type alarm struct {
	mu sync.Mutex
	at int64
	do func()
}

// AtWire calls do once, when Wire reaches n bytes. No byte is written meanwhile.
func (p *Proxy) AtWire(n int64, do func()) {
	p.alarm.mu.Lock()
	defer p.alarm.mu.Unlock()
	p.alarm.at, p.alarm.do = n, do
}

func (a *alarm) check(wire int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.do != nil && wire >= a.at {
		a.do()
		a.do = nil
	}
}
