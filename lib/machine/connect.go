// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// keepStream returns a function that sets a stream, and the terminal that it may
// be, to how they were: QEMU changes both, and may be killed.
func keepStream(f *os.File) (restore func()) {
	fd := int(f.Fd())
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	state, notTerminal := term.GetState(fd)
	return func() {
		if err == nil {
			unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
		}
		if notTerminal == nil {
			term.Restore(fd, state)
		}
	}
}

// connect makes what QEMU writes to: the console, its own messages, and the
// guest's status.
func (a *attempt) connect(cmd *exec.Cmd) (err error) {
	var to io.Writer = a.b.Stdout
	if a.b.Detached || a.b.Guest.Ports {
		if a.log, err = newLogFile(a.b.dir.file(consoleFile)); err != nil {
			return err
		}
		to = a.log
	}
	a.console = &console{to: to}
	for _, of := range []struct {
		ours **os.File
		its  *io.Writer
	}{{&a.printed, &cmd.Stdout}, {&a.messages, &cmd.Stderr}} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		*of.ours, *of.its = r, w
		a.files = append(a.files, r)
		a.writers = append(a.writers, w)
	}
	return a.openStatus()
}

// begin reads what QEMU writes, until it has ended.
func (a *attempt) begin() {
	for _, w := range a.writers[:2] { // the ends of the pipes that QEMU has; the FIFO stays
		w.Close()
	}
	a.readers.Go(func() { a.pass(a.console, a.printed) })
	a.readers.Go(func() { a.watch(a.messages) })
	a.readers.Go(func() {
		ReadStatus(a.lines, a.heard)
		io.Copy(io.Discard, a.lines) // QEMU waits for the reader
	})
	a.readers.Go(a.converse)
	if a.b.Guest.Ports {
		a.readers.Go(a.connectPorts)
	}
}

// openStatus makes the FIFO that the guest's status lines come by. It has an end
// once this program's own writer is closed, and QEMU has ended.
func (a *attempt) openStatus() (err error) {
	path := a.b.dir.file(statusFile)
	os.Remove(path) // that of an attempt before
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return err
	}
	if a.lines, err = os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0); err != nil {
		return err
	}
	a.files = append(a.files, a.lines)
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		a.writers = append(a.writers, w)
	}
	return err
}

// pass copies what the machine prints. If it cannot be written any more, the
// machine is to end.
func (a *attempt) pass(to io.Writer, from io.Reader) {
	if _, err := io.Copy(to, from); err != nil {
		a.broken <- err
		io.Copy(io.Discard, from)
	}
}

// heard takes a report of the guest.
func (a *attempt) heard(r Report) {
	a.mu.Lock()
	a.report = r
	a.mu.Unlock()
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// QEMU's messages when KVM cannot go on (kvm_cpu_exec in accel/kvm/kvm-all.c,
// kvm_arch_handle_exit in target/i386/kvm/kvm.c): it then prints the registers,
// and stops the machine without ending.
var kvmStopped = regexp.MustCompile(`^(KVM internal error|error: kvm run failed|KVM: )`)

// The message of a port of the host that is taken (slirp_hostfwd in net/slirp.c).
var forwardFailed = regexp.MustCompile(`Could not set up host forwarding rule 'tcp:(127\.0\.0\.1:\d+)-:\d+'`)

// Messages of QEMU that are not shown: it waits for a port's socket, or was ended
// by this program.
var told = regexp.MustCompile(`QEMU waiting for connection on|terminating on signal 15 from pid`)

// watch passes on QEMU's messages, and acts on those that it knows.
func (a *attempt) watch(r io.Reader) {
	in := bufio.NewReaderSize(r, maxMessage)
	for {
		line, err := readLine(in)
		forward := forwardFailed.FindStringSubmatch(line)
		switch {
		case forward != nil:
			a.mu.Lock()
			a.refused = forward[1]
			a.mu.Unlock()
		case line == "", told.MatchString(line):
		default:
			a.b.Said(line)
		}
		if kvmStopped.MatchString(line) {
			a.mu.Lock()
			a.stopped = true
			a.mu.Unlock()
			a.qemu.end()
		}
		if err != nil {
			return
		}
	}
}

// maxMessage is the length of QEMU's longest message that is shown, in bytes.
const maxMessage = 4096

// close closes all that is open.
func (a *attempt) close() {
	for _, f := range slices.Concat(a.writers, a.files) {
		f.Close()
	}
	if a.log != nil {
		a.log.Close()
	}
}
