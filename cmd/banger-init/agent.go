// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// An agent is the second process of this program, as process 1 sees it. What it
// does, process 1 need not do: an error in it cannot stop the kernel. The nil
// agent is one that could not be started.
type agent struct {
	tell     *os.File // what is written here it reports; it is closed by exec
	network  *os.File // ends when the network is up, or will not be for now
	reported *os.File // ends when all that it was told is reported
}

// The agent's ends of these, as descriptors.
const (
	toldFD     = 3
	networkFD  = 4
	reportedFD = 5
)

// notStarted is the last line for an agent if neither init nor command runs.
const notStarted = ""

// lastReports is how long the agent may take for its last reports.
const lastReports = 2 * time.Second

// startAgent starts the agent, which reports to an address and configures the
// network as ip= says. The program's file need not be there any more.
func startAgent(address, ip string) *agent {
	a, err := forkAgent([]string{guest.AgentName, address, ip})
	if err != nil {
		say("the agent cannot be started: %v", err)
		return nil
	}
	return a
}

func forkAgent(args []string) (*agent, error) {
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
		if i == 0 { // toldFD, which the agent reads
			r, w = w, r
		}
		ours[i], files = r, append(files, w)
	}
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	_, err = syscall.ForkExec("/proc/self/exe", args, &syscall.ProcAttr{
		Dir: "/", Env: os.Environ(), Files: fds, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	null.Close()
	for _, theirs := range files[3:] {
		theirs.Close()
	}
	return &agent{ours[0], ours[1], ours[2]}, err
}

// status has a text reported.
func (a *agent) status(text string) {
	if a != nil {
		a.tell.WriteString(guest.StatusText + printable(text) + "\n")
	}
}

// started has it reported that the init or the command runs. An init need not
// say so: exec closes the pipe.
func (a *agent) started() {
	if a != nil {
		a.tell.Close()
	}
}

// over ends the reports. If nothing was started, that is not reported.
func (a *agent) over() {
	if a != nil {
		a.tell.WriteString(notStarted + "\n") // fails if it is closed
		a.tell.Close()
		awaitEnd(a.reported, lastReports)
	}
}

// awaitEnd waits until the other end of a pipe is closed, or for so long.
func awaitEnd(f *os.File, long time.Duration) {
	f.SetReadDeadline(time.Now().Add(long))
	f.Read(make([]byte, 1))
}

// awaitNetwork waits until the network is up, or will not be for now.
func (a *agent) awaitNetwork(long time.Duration) {
	if a != nil {
		awaitEnd(a.network, long)
	}
}

// runAgent is the agent: it reports what process 1 tells it, configures the
// network and renews its lease, until SIGTERM.
func runAgent(args []string) (status int) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM)
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGPIPE)
	if len(args) != 2 {
		return outside(nil)
	}
	os.WriteFile("/proc/self/comm", []byte("banger-agent"), 0)
	os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)
	unix.CloseOnExec(toldFD)
	unix.CloseOnExec(networkFD)
	unix.CloseOnExec(reportedFD)
	go passStatus(os.NewFile(toldFD, "status"), args[0], os.NewFile(reportedFD, "reported"))
	go keepNetwork(args[1], os.NewFile(networkFD, "network"))
	<-asked
	return 0
}

// passStatus sends each line that process 1 writes. When exec has closed the
// pipe, the init or the command runs. It closes a file when all is sent.
func passStatus(told *os.File, address string, reported *os.File) {
	defer reported.Close()
	report := func(line string) {
		if err := send(address, line); err != nil {
			say("%s: %v", address, err)
		}
	}
	lines := bufio.NewScanner(told)
	for lines.Scan() {
		if lines.Text() == notStarted {
			return
		}
		report(lines.Text())
	}
	report(guest.StatusReady)
}
