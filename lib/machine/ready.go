// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"banger/lib/status"
)

// readyFile is the socket by which others wait for a machine: each connection
// gets readyText once the guest is ready, and ends with the machine.
const (
	readyFile = "ready"
	readyText = "ready\n"
)

// A readiness serves readyFile.
type readiness struct {
	listener *net.UnixListener
	once     sync.Once
	ready    chan struct{}
}

// listenReady makes the socket in a directory.
func listenReady(dir string) (*readiness, error) {
	var l *net.UnixListener
	err := inDir(dir, func(dir string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, readyFile), Net: "unix"})
		return err
	})
	if err != nil {
		return nil, status.With(status.Create, err)
	}
	l.SetUnlinkOnClose(false) // the directory is removed as a whole
	r := &readiness{listener: l, ready: make(chan struct{})}
	go r.serve()
	return r, nil
}

// serve keeps each connection open until the process ends, or the other side has
// closed it.
func (r *readiness) serve() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		go func() {
			<-r.ready
			io.WriteString(conn, readyText)
			io.Copy(io.Discard, conn)
			conn.Close()
		}()
	}
}

// set reports that the guest is ready.
func (r *readiness) set() { r.once.Do(func() { close(r.ready) }) }

// Wait returns once a machine is ready. It is an error if there is none, or if it
// ends before.
func (d Dirs) Wait(ctx context.Context, name string) error {
	conn, err := dialIn(filepath.Join(string(d), name), readyFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return status.Hint(status.Errorf(status.NoInput, "%s: no such machine", name), "banger boot %s", name)
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if n, _ := io.ReadFull(conn, make([]byte, len(readyText))); n == len(readyText) {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return status.Errorf(status.Temporary, "%s: the machine ended before it was ready", name)
}

// dialIn connects to a socket in a directory.
func dialIn(dir, name string) (conn *net.UnixConn, err error) {
	err = inDir(dir, func(dir string) (err error) {
		conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unix"})
		return err
	})
	return conn, err
}

// inDir calls a function with a short path of a directory: the address of a
// socket has room for 107 bytes (unix(7)).
func inDir(dir string, f func(short string) error) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer opened.Close()
	return f(filepath.Join("/proc/self/fd", strconv.Itoa(int(opened.Fd()))))
}
