// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"errors"
	"net"
	"os"
	"sync"
)

// A remoteListener accepts connections in the guest for a client.
type remoteListener struct {
	sockets []net.Listener
	held    *net.UnixConn // closed, it has the socket's file removed
}

func (l *remoteListener) close() {
	for _, s := range l.sockets {
		s.Close()
	}
	l.held.Close()
}

// serve passes on the connections to all sockets.
func (l *remoteListener) serve(c *conn, handle func(net.Conn)) {
	for _, s := range l.sockets {
		go c.accept(s, handle)
	}
}

// listen has a helper open the sockets that a job describes.
func (c *conn) listen(j job) (*remoteListener, error) {
	files, held, err := c.openSockets(j)
	if err != nil {
		return nil, err
	}
	l := &remoteListener{held: held}
	for _, f := range files {
		s, e := net.FileListener(f)
		f.Close()
		if e != nil {
			err = e
			continue
		}
		l.sockets = append(l.sockets, s)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// forwards are the listeners that a client has asked for, by what it calls them.
type forwards struct {
	mu        sync.Mutex
	listeners map[string]*remoteListener // nil once the connection is over
}

var (
	errOver    = errors.New("the connection is over")
	errTooMany = errors.New("too many listeners")
)

// add keeps a listener until it is removed or the connection is over.
func (f *forwards) add(name string, l *remoteListener) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, there := f.listeners[name]
	switch {
	case f.listeners == nil:
		return errOver
	case len(f.listeners) >= maxListeners:
		return errTooMany
	case there:
		return os.ErrExist
	}
	f.listeners[name] = l
	return nil
}

// remove closes a listener, and reports whether there was one.
func (f *forwards) remove(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.listeners[name]
	if ok {
		l.close()
		delete(f.listeners, name)
	}
	return ok
}

func (f *forwards) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.listeners {
		l.close()
	}
	f.listeners = nil
}
