// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// An agent is the second process of this program, as process 1 sees it. It
// reports, keeps the network and serves SSH: an error there cannot stop the
// kernel. The nil agent is one that could not be started.
type agent struct {
	messages *os.File // process 1 writes them; exec closes it
	network  *os.File // the agent closes it once the network is up, or is left to come up later
	reported *os.File // ends when all messages are reported
}

// The agent's ends of these, as descriptors.
const (
	messagesFD = 3
	networkFD  = 4
	reportedFD = 5
)

// A message is one that process 1 sends the agent. The first has a task.
type message struct {
	Task   *task       `json:",omitempty"`
	Status string      `json:",omitempty"` // to be reported
	Plan   *guest.Plan `json:",omitempty"` // what is run
	Last   bool        `json:",omitempty"` // neither init nor command was started
}

// A task is what the agent has to know.
type task struct {
	Notify  string   // the address of status lines
	IP      string   // the kernel parameter
	Listen  string   // ADDRESS:PORT of the SSH server, "" for vsock only
	Keys    []byte   // guest.AuthorizedKeys
	HostKey []byte   // guest.HostKey
	Env     []string // of the image and the machine, for sessions
	Restart bool     // the machine ends by restarting
	Times   guest.Times
}

// lastReports is how long the agent may take for its last reports.
const lastReports = 2 * time.Second

// startAgent starts the agent. The program's file need not exist any more.
func startAgent(t task) *agent {
	a, err := forkAgent()
	if err != nil {
		say("the agent cannot be started: %v", err)
		return nil
	}
	a.send(message{Task: &t})
	return a
}

func forkAgent() (*agent, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	files := []*os.File{null, os.Stderr, os.Stderr}
	var ours [3]*os.File
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		if i == 0 { // messagesFD, which the agent reads
			r, w = w, r
		}
		ours[i], files = r, append(files, w)
	}
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	_, err = syscall.ForkExec("/proc/self/exe", []string{guest.AgentName}, &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: fds, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	null.Close()
	for _, theirs := range files[3:] {
		theirs.Close()
	}
	return &agent{ours[0], ours[1], ours[2]}, err
}

// send sends a message, unless the agent has ended.
func (a *agent) send(m message) {
	if a == nil {
		return
	}
	if raw, err := json.Marshal(m); err == nil {
		a.messages.Write(append(raw, '\n'))
	}
}

// status makes the agent report a text.
func (a *agent) status(text string) { a.send(message{Status: text}) }

// started makes the agent report that the init or the command runs. An init need
// not do so: exec closes the pipe.
func (a *agent) started() {
	if a != nil {
		a.messages.Close()
	}
}

// over waits for the last reports. If nothing was started, that is not reported.
func (a *agent) over() {
	if a != nil {
		a.send(message{Last: true}) // fails if the pipe is closed
		a.messages.Close()
		awaitEnd(a.reported, lastReports)
	}
}

// awaitEnd waits until the other end of a pipe is closed, or for so long.
func awaitEnd(f *os.File, long time.Duration) {
	f.SetReadDeadline(time.Now().Add(long))
	f.Read(make([]byte, 1))
}

// awaitNetwork waits until the agent closes a.network, or for so long.
func (a *agent) awaitNetwork(long time.Duration) {
	if a != nil {
		awaitEnd(a.network, long)
	}
}

// sinceBoot returns the milliseconds since the kernel started.
func sinceBoot() int64 {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0
	}
	return now.Nano() / int64(time.Millisecond)
}
