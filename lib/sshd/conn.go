// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"context"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// A conn is the connection of a client that has authenticated.
type conn struct {
	*Server
	client  *ssh.ServerConn
	account Account

	ctx  context.Context // done when the connection is
	stop context.CancelFunc

	channels slots // that the client opens
	incoming slots // channels of connections to its listeners
	opening  slots // of processes that open a socket
	forwards forwards
	agent    agentSocket
	noMore   atomic.Bool // sessions
}

func newConn(s *Server, client *ssh.ServerConn, account Account) *conn {
	c := &conn{Server: s, client: client, account: account,
		channels: make(slots, maxChannels), incoming: make(slots, maxChannels), opening: make(slots, maxStarting)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.forwards.listeners = map[string]*remoteListener{}
	return c
}

// serve returns when the connection has ended.
func (c *conn) serve(channels <-chan ssh.NewChannel, requests <-chan *ssh.Request) {
	go c.answer(requests)
	for ch := range channels {
		c.open(ch)
	}
	c.stop()
	c.forwards.close()
	c.agent.close()
}

// open opens a channel that the client asks for. It does not wait: a client may
// have others.
func (c *conn) open(ch ssh.NewChannel) {
	handle, ok := map[string]func(ssh.NewChannel){
		"session":                        c.serveSession,
		"direct-tcpip":                   c.directTCP,
		"direct-streamlocal@openssh.com": c.directUnix,
	}[ch.ChannelType()]
	switch {
	case !ok:
		ch.Reject(ssh.UnknownChannelType, "unknown channel type")
	case ch.ChannelType() == "session" && c.noMore.Load():
		ch.Reject(ssh.Prohibited, "no more sessions, as the client asked")
	case !c.channels.take():
		ch.Reject(ssh.ResourceShortage, "too many channels")
	default:
		go func() {
			defer c.channels.release()
			handle(ch)
		}()
	}
}

// answer answers the requests that concern no channel, in order (RFC 4254,
// section 4).
func (c *conn) answer(requests <-chan *ssh.Request) {
	for r := range requests {
		ok, data := c.request(r)
		if r.WantReply {
			r.Reply(ok, data)
		}
	}
}

func (c *conn) request(r *ssh.Request) (ok bool, data []byte) {
	switch r.Type {
	case "keepalive@openssh.com":
		return true, nil
	case "no-more-sessions@openssh.com":
		c.noMore.Store(true)
		return true, nil
	case "tcpip-forward":
		return c.forwardTCP(r.Payload)
	case "cancel-tcpip-forward":
		return c.cancelTCP(r.Payload), nil
	case "streamlocal-forward@openssh.com":
		return c.forwardUnix(r.Payload), nil
	case "cancel-streamlocal-forward@openssh.com":
		return c.cancelUnix(r.Payload), nil
	}
	return false, nil
}
