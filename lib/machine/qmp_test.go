// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"banger/lib/status"
)

// A fakeMonitor answers one command after some time, and reports what happens.
func fakeMonitor(conn net.Conn, late time.Duration, events ...string) {
	defer conn.Close()
	bufio.NewReader(conn).ReadString('\n')
	time.Sleep(late)
	fmt.Fprintln(conn, `{"return": {}}`)
	for _, e := range events {
		fmt.Fprintln(conn, e)
	}
}

// However long QEMU takes to answer, what happens then is heard.
func TestLateMonitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, its := net.Pipe()
		go fakeMonitor(its, time.Hour, `{"event": "SHUTDOWN", "data": {"reason": "guest-reset"}}`)
		m, err := NewMonitor(ours)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if e := <-m.Events(); e.Name != "SHUTDOWN" || e.Data.Reason != guestReset {
			t.Errorf("%+v", e)
		}
	})
}

// QEMU that ends without an answer is not waited for.
func TestDeadMonitor(t *testing.T) {
	ours, its := net.Pipe()
	go func() {
		bufio.NewReader(its).ReadString('\n')
		its.Close()
	}()
	if m, err := NewMonitor(ours); err == nil {
		m.Close()
		t.Error("no error")
	}
}

// A build fails if a write of its machine has failed, for whatever reason, though its
// script has succeeded.
func TestLostWrite(t *testing.T) {
	const disk = "/images/.new/rootfs.ext4"
	for name, c := range map[string]struct {
		event string // its data
		build bool
		code  status.Code
		says  string // "" for success
	}{
		"written":     {`{"operation": "write", "reason": "Input/output error"}`, true, status.Failed, "/images: QEMU could not write to the disk: Input/output error"},
		"no reason":   {`{"operation": "write"}`, true, status.Failed, "/images: QEMU could not write to the disk: input/output error"},
		"full":        {`{"operation": "write", "reason": "No space left on device"}`, true, status.Create, "/images: no space left"},
		"read":        {`{"operation": "read", "reason": "Input/output error"}`, true, status.OK, ""},
		"not a build": {`{"operation": "write", "reason": "Input/output error"}`, false, status.OK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ours, its := net.Pipe()
			go fakeMonitor(its, 0, strings.Replace(`{"event": "BLOCK_IO_ERROR", "data": DATA}`, "DATA", c.event, 1))
			m, err := NewMonitor(ours)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			a := &attempt{b: &Boot{disk: disk}, report: Report{Exit: 0}}
			if c.build {
				a.b.Build = new(Build)
			}
			for e := range m.Events() {
				a.happened(e)
			}
			code, err := a.verdict()
			if got := fmt.Sprint(err); status.Of(err) != c.code || code != 0 || c.says != "" && got != c.says {
				t.Errorf("%d, %v; want %q", code, err, c.says)
			}
		})
	}
}
