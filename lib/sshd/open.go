// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxAnswer is how many bytes of a helper's answer are read.
const maxAnswer = 4 << 10

// maxSockets is how many sockets a helper opens for one job.
const maxSockets = 2

// openSockets has a helper open sockets as the user. To close held ends the
// helper, which then removes a socket's file.
func (c *conn) openSockets(j job) (files []*os.File, held *net.UnixConn, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	if !c.opening.wait(c.ctx) {
		return nil, nil, errOver
	}
	defer c.opening.release()
	p, socket, err := c.fork(j, []*os.File{null, null, null}, false)
	if err != nil {
		return nil, nil, err
	}
	go p.reap()
	defer context.AfterFunc(c.ctx, func() { socket.Close() })()
	files, err = receive(socket)
	if err != nil {
		p.kill()
		socket.Close()
		return nil, nil, err
	}
	return files, socket, nil
}

// receive receives sockets from a helper, or an error.
func receive(helper *net.UnixConn) (files []*os.File, err error) {
	helper.SetReadDeadline(time.Now().Add(maxDialTime))
	text, rights := make([]byte, maxAnswer), make([]byte, unix.CmsgSpace(maxSockets*4))
	n, rn, _, _, err := helper.ReadMsgUnix(text, rights)
	switch {
	case err != nil:
		return nil, err
	case rn == 0 && n == 0:
		return nil, errors.New("the helper has ended")
	case rn == 0:
		return nil, errors.New(string(text[:n]))
	}
	messages, err := unix.ParseSocketControlMessage(rights[:rn])
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "socket"))
		}
	}
	return files, nil
}
