// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"banger/lib/guest"
)

// streams are the standard streams of a command.
type streams struct {
	files    [3]*os.File
	terminal bool // they are the terminal behind the console
}

// openStreams opens the streams of a command: the machine's ports if it is to
// use them and they are there, else the terminal behind the console, else
// /dev/null. They belong to the command's user, who may open /dev/stdout anew.
func (m *machine) openStreams(id guest.Identity) (s *streams, err error) {
	if m.wishes.Ports {
		if paths, ok := findPorts("/sys/class/virtio-ports", "/dev", portTime); ok {
			m.ports, s, err = openPorts(paths)
			return s, s.give(id, err)
		}
	}
	s = new(streams)
	tty, err := openTerminal(m.line.has("banger.raw"))
	s.terminal = err == nil
	if err != nil {
		tty, err = os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	s.files = [3]*os.File{tty, tty, tty}
	if !s.terminal {
		return s, err
	}
	if err = s.give(id, err); err == nil && len(m.wishes.Args) > 0 && !m.wishes.Terminal {
		s.files[0], err = os.Open(os.DevNull) // nobody types: a read finds the end
	}
	return s, err
}

// give makes the streams a user's.
func (s *streams) give(id guest.Identity, err error) error {
	if err != nil {
		return err
	}
	for _, f := range s.files {
		if err := f.Chown(id.UID, -1); err != nil {
			return err
		}
	}
	return nil
}

func (s *streams) fds() (fds []uintptr) {
	for _, f := range s.files {
		fds = append(fds, f.Fd())
	}
	return fds
}

func (s *streams) close() {
	for _, f := range s.files {
		f.Close()
	}
}
