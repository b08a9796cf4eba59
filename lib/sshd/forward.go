// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// A stream is a connection that is forwarded: of TCP, or of a unix socket.
type stream interface {
	net.Conn
	source
	CloseWrite() error
}

// join copies between a channel and a connection, and closes both. The end of one
// direction is passed on and does not end the other.
func join(channel ssh.Channel, requests <-chan *ssh.Request, c stream) {
	defer c.Close()
	defer channel.Close()
	go func() {
		ssh.DiscardRequests(requests)
		// The client has closed the channel, or is gone. What it has sent still
		// goes on to where it belongs.
		c.SetReadDeadline(time.Now())
		c.SetWriteDeadline(time.Now().Add(maxDrainTime))
	}()
	var both sync.WaitGroup
	both.Go(func() {
		if take(c, channel) == nil {
			c.CloseWrite()
		}
	})
	both.Go(func() {
		send(channel, c)
		channel.CloseWrite()
	})
	both.Wait()
}

// forwarded passes a connection to a listener on, over a channel that is opened
// to the client.
func (c *conn) forwarded(from net.Conn, kind string, extra []byte) {
	if !c.incoming.take() {
		from.Close()
		return
	}
	go func() {
		defer c.incoming.release()
		channel, requests, err := c.client.OpenChannel(kind, extra)
		if err != nil {
			from.Close()
			return
		}
		join(channel, requests, from.(stream))
	}()
}

// connected accepts the channel of a connection that is made.
func connected(ch ssh.NewChannel, c stream) {
	channel, requests, err := ch.Accept()
	if err != nil {
		c.Close()
		return
	}
	join(channel, requests, c)
}
