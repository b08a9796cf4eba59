// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"banger/lib/guest"
)

// dial connects to a socket of QEMU's in the machine's directory, once it is
// there; nil if QEMU ends before.
func (a *attempt) dial(name string) *net.UnixConn {
	for {
		conn, err := dialIn(a.b.dir.Path, name)
		if err == nil {
			return conn
		}
		select {
		case <-a.qemu.ended:
			return nil
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// converse takes up the conversation with QEMU's monitor, and passes on what
// happens until it ends.
func (a *attempt) converse() {
	conn := a.dial(monitorFile)
	if conn == nil {
		return
	}
	m, err := NewMonitor(conn)
	if err != nil {
		return // QEMU has ended
	}
	defer m.Close()
	a.mu.Lock()
	a.monitor = m
	a.mu.Unlock()
	a.readForwards(m)
	for e := range m.Events() {
		a.events <- e
	}
}

// readForwards reads which ports of the host QEMU has chosen.
func (a *attempt) readForwards(m *Monitor) {
	raw, err := m.Do("human-monitor-command", map[string]string{"command-line": "info usernet"})
	var text string
	if err == nil {
		err = json.Unmarshal(raw, &text)
	}
	if err != nil {
		a.b.Said(fmt.Sprintf("QEMU: ports: %v", err))
	}
	a.events <- Event{Name: eventForwards, Forwards: parseForwards(text)}
}

// parseForwards reads the forwarded ports in what info usernet prints
// (slirp_connection_info in libslirp):
//
//	Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
//	TCP[HOST_FORWARD]  12       127.0.0.1 39187       10.0.2.15    80     0     0
func parseForwards(text string) (all []Forward) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[0] != "TCP[HOST_FORWARD]" {
			continue
		}
		host, err1 := strconv.ParseUint(fields[3], 10, 16)
		inside, err2 := strconv.ParseUint(fields[5], 10, 16)
		if err1 == nil && err2 == nil {
			all = append(all, Forward{uint16(host), uint16(inside)})
		}
	}
	return all
}

// splitSSH returns the port of the host that leads to the guest's SSH server, 0
// for none, and the other ports. published are those that the user has asked for,
// of which some may lead to the same port of the guest.
func splitSSH(all, published []Forward) (port uint16, others []Forward) {
	for _, f := range all {
		if port == 0 && f.Guest == guest.SSHPort && !slices.Contains(published, f) {
			port = f.Host
			continue
		}
		others = append(others, f)
	}
	return port, others
}

// connectPorts makes the streams of a command those of this program. QEMU waits
// for the connections, in their order.
func (a *attempt) connectPorts() {
	var conns []*net.UnixConn
	for _, p := range ports {
		conn := a.dial(p.socket)
		if conn == nil {
			break
		}
		conns = append(conns, conn)
	}
	if len(conns) < len(ports) {
		for _, c := range conns {
			c.Close()
		}
		return
	}
	stdin := conns[0]
	go func() {
		io.Copy(stdin, a.b.Stdin)
		stdin.CloseWrite() // the command's input has its end
	}()
	for i, to := range []io.Writer{a.b.Stdout, a.b.Stderr} {
		from := conns[i+1]
		a.readers.Go(func() {
			defer from.Close()
			a.pass(to, from)
		})
	}
}
