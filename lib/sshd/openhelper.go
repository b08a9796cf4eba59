// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// give opens what the job asks for and sends it to the server. A unix socket that
// is listened on has a file: that is removed once the server closes its end, or
// is gone.
func (j job) give(server *net.UnixConn) (status int) {
	files, done, err := j.openSockets()
	if err != nil {
		server.Write([]byte(err.Error()))
		return cannotStart
	}
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	if _, _, err := server.WriteMsgUnix([]byte{0}, unix.UnixRights(fds...), nil); err == nil && done != nil {
		server.CloseWrite()
		io.Copy(io.Discard, server)
	}
	if done != nil {
		done()
	}
	return 0
}

// openSockets opens what the job asks for. done undoes what it made.
func (j job) openSockets() (files []*os.File, done func(), err error) {
	switch j.Do {
	case doDial:
		f, err := dialUnix(string(j.Address))
		return []*os.File{f}, nil, err
	case doListen:
		f, done, err := listenUnix(string(j.Address))
		return []*os.File{f}, done, err
	case doAgentSocket:
		f, done, err := j.listenAgent()
		return []*os.File{f}, done, err
	case doListenTCP:
		files, err := listenTCP(string(j.Address))
		return files, nil, err
	}
	return nil, nil, fmt.Errorf("no job %q", j.Do)
}

// unixAddress returns the address of a path: x/sys/unix takes a leading @ for
// a socket that has none.
func unixAddress(name string) (*unix.SockaddrUnix, error) {
	if name == "" {
		return nil, errors.New("the socket has no path")
	}
	if strings.IndexByte(name, 0) >= 0 { // the kernel would take what is before it
		return nil, errors.New("the path of the socket has a NUL byte")
	}
	if name[0] == '@' {
		name = "./" + name
	}
	if longest := len(unix.RawSockaddrUnix{}.Path) - 1; len(name) > longest {
		return nil, fmt.Errorf("the path of the socket has more than %d bytes", longest)
	}
	return &unix.SockaddrUnix{Name: name}, nil
}

// dialUnix connects to a socket. It waits while that is busy, as nonblocking
// sockets do not.
func dialUnix(name string) (*os.File, error) {
	address, err := unixAddress(name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Connect(fd, address)
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		if err != unix.EINTR {
			return nil, err
		}
	}
}

// listenUnix makes a socket that only its user may connect to. done removes it,
// unless something else has its name by then.
func listenUnix(name string) (f *os.File, done func(), err error) {
	address, err := unixAddress(name)
	if err != nil {
		return nil, nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	unix.Umask(0o177)
	if err := unix.Bind(fd, address); err != nil {
		return nil, nil, err
	}
	made, err := os.Lstat(address.Name)
	done = func() {
		if now, err := os.Lstat(address.Name); err == nil && os.SameFile(made, now) {
			os.Remove(address.Name)
		}
	}
	if err == nil {
		err = unix.Listen(fd, unix.SOMAXCONN)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return os.NewFile(uintptr(fd), name), done, nil
}

// listenAgent makes a socket in a new directory, in one that is root's. Nobody
// else can enter the new one until it is given to the user.
func (j job) listenAgent() (f *os.File, done func(), err error) {
	if err := os.MkdirAll(path.Dir(j.Dir), 0o755); err != nil {
		return nil, nil, err
	}
	if err := os.Mkdir(j.Dir, 0o700); err != nil {
		return nil, nil, err
	}
	done = func() { os.RemoveAll(j.Dir) }
	name := string(j.Address)
	f, _, err = listenUnix(name)
	if err == nil {
		err = errors.Join(os.Chown(name, j.UID, j.GID), os.Chown(j.Dir, j.UID, j.GID))
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return f, done, nil
}

// listenTCP listens on a port of each address that a name stands for in a
// client's request (RFC 4254, section 7.1).
func listenTCP(address string) (files []*os.File, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	hosts := []string{host}
	if host == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	for i, host := range hosts {
		l, e := net.Listen("tcp", net.JoinHostPort(host, port))
		if e != nil && i == 0 {
			err = e // there may be no IPv6, or no IPv4
			continue
		}
		if e != nil {
			break
		}
		f, e := l.(*net.TCPListener).File()
		if e != nil {
			return nil, e
		}
		files = append(files, f)
		port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	if len(files) == 0 {
		return nil, err
	}
	return files, nil
}
