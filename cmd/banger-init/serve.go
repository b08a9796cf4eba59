// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// A service is the agent as it sees itself.
type service struct {
	task
	messages  *json.Decoder
	listening chan struct{} // closed once the SSH server listens, or cannot

	mu      sync.Mutex
	plan    guest.Plan
	started bool // the init or the command
	times   guest.Times
}

// smallHeap makes the collector run early: the agent's memory is the guest's.
const smallHeap = 25

// runAgent is the agent. It does what process 1 sends it, until SIGTERM.
func runAgent() (status int) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM)
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGPIPE)
	for _, fd := range []int{messagesFD, networkFD, reportedFD} {
		unix.CloseOnExec(fd)
	}
	s := &service{messages: json.NewDecoder(os.NewFile(messagesFD, "messages")), listening: make(chan struct{})}
	var first message
	if s.messages.Decode(&first) != nil || first.Task == nil {
		return outside(nil) // started by hand
	}
	s.task, s.times = *first.Task, first.Task.Times
	s.times.Agent = sinceBoot()
	debug.SetGCPercent(smallHeap)
	os.WriteFile("/proc/self/comm", []byte("banger-agent"), 0)
	os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)
	go s.report(os.NewFile(reportedFD, "reported"))
	network := os.NewFile(networkFD, "network")
	networked := make(chan struct{})
	up := sync.OnceFunc(func() {
		close(networked)
		network.Close()
	})
	go func() {
		defer up()
		keepNetwork(s.IP, up)
	}()
	go s.serveSSH(networked)
	<-asked
	return 0
}

// report sends what process 1 has to report. When exec has closed the pipe, the
// init or the command runs. It closes a file when all is sent.
func (s *service) report(reported io.Closer) {
	defer reported.Close()
	for {
		var m message
		if err := s.messages.Decode(&m); err != nil {
			break
		}
		switch {
		case m.Last:
			return
		case m.Plan != nil:
			s.set(func() { s.plan = *m.Plan })
		case m.Status != "":
			s.send(guest.StatusText + printable(m.Status))
		}
	}
	s.set(func() { s.started = true })
	<-s.listening
	s.set(func() { s.times.Ready = sinceBoot() })
	s.send(guest.StatusReady)
}

// set changes what the mutex guards.
func (s *service) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// send sends a status line to the host.
func (s *service) send(line string) {
	if err := send(s.Notify, line); err != nil {
		say("%s: %v", s.Notify, err)
	}
}
