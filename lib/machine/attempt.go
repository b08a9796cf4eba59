// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// How long a guest may take to end when it is asked to. A command has 10 seconds,
// an init has 25 until the agent ends the machine, and an emulated machine is slow.
const (
	patience         = 30 * time.Second
	emulatedPatience = time.Minute
)

// An attempt is one process of QEMU, and what is known of it.
type attempt struct {
	b       *Boot
	long    time.Duration // how long the guest may take to end
	qemu    *process
	console *console
	log     *logFile
	files   []*os.File // that are read
	writers []*os.File // their other ends
	readers sync.WaitGroup

	printed, messages, lines *os.File // what QEMU writes: see connect

	changed chan struct{} // the report has
	broken  chan error    // standard output or error cannot be written
	events  chan Event

	// What follows is written by the readers, under mu.
	mu      sync.Mutex
	report  Report
	monitor *Monitor
	stopped bool   // by KVM
	refused string // a port that cannot be forwarded

	// What follows is the main loop's.
	reachable bool // the ports are known
	announced bool // the guest is ready and reachable

	reason string // for the shutdown, from QEMU
	full   bool   // the host's disk
	lost   string // why a write to the host's disk failed, from QEMU
	failed error  // of standard output or error
}

// attempt runs QEMU once, to its end.
func (b *Boot) attempt(ctx context.Context, p processor) (*attempt, error) {
	a := &attempt{b: b, long: patience, report: NewReport(), changed: make(chan struct{}, 1), broken: make(chan error, 8), events: make(chan Event)}
	if p.emulated() {
		a.long = emulatedPatience
	}
	if b.Build != nil {
		a.long = buildPatience
	}
	command := b.qemuCommand(p)
	b.Show(command)
	cmd := exec.Command(b.qemu, command.Args[1:]...)
	cmd.Dir = command.Dir
	if b.readsConsole() {
		cmd.Stdin = b.Stdin
		defer keepStream(b.Stdin)()
	}
	defer a.close()
	if err := a.connect(cmd); err != nil {
		return nil, status.With(status.Create, err)
	}
	var err error
	if a.qemu, err = start(cmd, b.typed()); err != nil {
		return nil, err
	}
	a.begin()
	a.attend(ctx)
	return a, nil
}

// attend watches over the machine until it has ended.
func (a *attempt) attend(ctx context.Context) {
	done := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case <-a.qemu.ended:
			a.drain()
			return
		case <-a.changed:
			a.tell()
		case e := <-a.events:
			a.happened(e)
		case err := <-a.broken:
			a.failed = errors.Join(a.failed, err)
			a.qemu.end()
		case <-done:
			done = nil
			late = time.After(a.long)
			a.ask()
		case <-late:
			a.b.Note(fmt.Sprintf("the guest is still running after %v: ending QEMU", a.long), "")
			a.qemu.end()
		case <-a.b.Force:
			a.b.Force = nil
			a.qemu.end()
		}
	}
}

// drain reads what QEMU and the guest wrote last.
func (a *attempt) drain() {
	for _, w := range a.writers {
		w.Close()
	}
	read := make(chan struct{})
	go func() { a.readers.Wait(); close(read) }()
	for {
		select {
		case <-read:
			a.tell()
			for len(a.broken) > 0 {
				a.failed = errors.Join(a.failed, <-a.broken)
			}
			return
		case e := <-a.events:
			a.happened(e)
		}
	}
}

// said returns the guest's last report.
func (a *attempt) said() Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.report
}

// tell records the guest's report.
func (a *attempt) tell() {
	r := a.said()
	record := &a.b.record
	if r.Text == record.Status && r.Ready == record.Ready {
		return
	}
	record.Status, record.Ready = r.Text, r.Ready
	a.b.dir.write(*record) // list does without
	a.announce()
}

// announce reports that the guest is ready, once it can be reached.
func (a *attempt) announce() {
	if !a.b.record.Ready || !a.reachable || a.announced {
		return
	}
	a.announced = true
	a.b.readiness.set()
	if err := a.b.Ready(a.b.record); err != nil {
		a.failed = err
		a.qemu.end()
	}
}

// happened handles an event of QEMU.
func (a *attempt) happened(e Event) {
	switch e.Name {
	case "SHUTDOWN":
		a.reason = e.Data.Reason
	case "GUEST_PANICKED":
		a.reason = guestPanic
	case eventForwards:
		a.listening(e.Forwards)
	case "BLOCK_IO_ERROR":
		// nospace is not in the event of a disk whose errors are reported.
		for _, full := range []syscall.Errno{unix.ENOSPC, unix.EDQUOT, unix.EFBIG} {
			a.full = a.full || strings.EqualFold(e.Data.Reason, full.Error())
		}
		if e.Data.Operation == "write" {
			a.lost = cmp.Or(a.lost, e.Data.Reason, "input/output error")
		}
	}
}

// listening writes down the ports of the host that QEMU has opened.
func (a *attempt) listening(all []Forward) {
	record := &a.b.record
	var port uint16
	if port, record.Ports = splitSSH(all, a.b.Publish); port > 0 {
		record.SSH = port
		a.b.dir.writeSSHConfig(port) // banger ssh reports that it is missing
	}
	a.b.dir.write(*record)
	if len(record.Ports) > 0 {
		a.b.Listen(*record)
	}
	a.reachable = true
	a.announce()
}
