// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

const (
	portTime  = 3 * time.Second  // how long the kernel may take to find the ports
	hostTime  = time.Second      // how long the host may take to connect one
	drainTime = 60 * time.Second // how long the host may take no output
)

// ports are virtio-serial ports that carry the streams of a command. A port can
// be opened once, and the command may want to open /dev/stdout: so it has pipes,
// and this process copies.
type ports struct {
	output [2]*os.File // the ports of stdout and stderr
	copies sync.WaitGroup
	copied atomic.Int64 // bytes of output
}

// findPorts returns the devices of the three ports, in the order of the streams,
// once the kernel has found them all. It has to have the driver for that.
func findPorts(class, dev string, long time.Duration) (paths [3]string, ok bool) {
	if !exists(class) {
		return paths, false
	}
	for end := time.Now().Add(long); ; time.Sleep(5 * time.Millisecond) {
		found := portNames(class)
		ok := true
		for i, name := range []string{guest.StdinPort, guest.StdoutPort, guest.StderrPort} {
			device, is := found[name]
			paths[i] = filepath.Join(dev, device)
			ok = ok && is && exists(paths[i])
		}
		if ok || time.Now().After(end) {
			return paths, ok
		}
	}
}

// portNames returns the devices of virtio-serial ports by the ports' names.
func portNames(class string) map[string]string {
	found := map[string]string{}
	entries, _ := os.ReadDir(class)
	for _, e := range entries {
		name, err := os.ReadFile(filepath.Join(class, e.Name(), "name"))
		if err == nil {
			found[strings.TrimSpace(string(name))] = e.Name()
		}
	}
	return found
}

// openPorts opens the ports, and makes the pipes between them and the command.
func openPorts(paths [3]string) (*ports, *streams, error) {
	p, s := new(ports), new(streams)
	for i, path := range paths {
		flag := unix.O_WRONLY
		if i == 0 {
			flag = unix.O_RDONLY
		}
		// Reads and writes that block: the runtime's poller would take a port that
		// is not connected yet for one that has ended.
		fd, err := unix.Open(path, flag|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		port := os.NewFile(uintptr(fd), path)
		r, w, err := os.Pipe()
		if err != nil {
			return nil, nil, err
		}
		if i == 0 {
			s.files[0] = r
			go copyInput(w, port)
			continue
		}
		s.files[i], p.output[i-1] = w, port
		p.copies.Go(func() { p.copyOutput(port, r) })
	}
	return p, s, nil
}

// copyInput copies from a port until the host closes it, and ends the pipe.
func copyInput(pipe, port *os.File) {
	defer pipe.Close()
	awaitHost(port, hostTime)
	io.Copy(pipe, struct{ io.Reader }{port})
}

// copyOutput copies from a pipe until all writers have closed it.
func (p *ports) copyOutput(port, pipe *os.File) {
	b := make([]byte, 32<<10)
	for {
		n, err := pipe.Read(b)
		if err != nil {
			return
		}
		if _, err := port.Write(b[:n]); err != nil {
			return
		}
		p.copied.Add(int64(n))
	}
}

// awaitHost waits until the host has connected a port: a read would find the end
// of file before. The kernel hears of the port's name first.
func awaitHost(port *os.File, long time.Duration) {
	for end := time.Now().Add(long); hungUp(port) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// hungUp reports whether the host has closed a port, and all that it sent before
// has been read.
func hungUp(port *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(port.Fd()), Events: unix.POLLIN}}
	unix.Poll(fds, 0)
	return fds[0].Revents&(unix.POLLHUP|unix.POLLIN) == unix.POLLHUP
}

// drain waits until the host has all output. All processes that could write some
// must have ended. A host that has closed the ports is not waited for, nor is
// one that takes nothing for drainTime.
func (p *ports) drain() {
	if p == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		p.copies.Wait()
		close(done)
	}()
	before, since := p.copied.Load(), time.Now()
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		case <-time.After(50 * time.Millisecond):
		}
		now := p.copied.Load()
		if now != before {
			before, since = now, time.Now()
		}
		long := drainTime
		if hungUp(p.output[0]) || hungUp(p.output[1]) {
			long = hostTime
		}
		waiting = waiting && time.Since(since) < long
	}
	for _, port := range p.output {
		within(hostTime, func() { port.Close() }) // the driver waits until the host knows
	}
}
