// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
)

// A Monitor is a connection to QEMU's monitor (docs/interop/qmp-spec.rst).
type Monitor struct {
	conn    net.Conn
	write   sync.Mutex
	answers chan answer
	events  chan Event
}

// An Event is one of QEMU's (docs/interop/qmp-spec.rst).
type Event struct {
	Name string `json:"event"`
	Data struct {
		Reason    string `json:"reason"`    // of SHUTDOWN; of BLOCK_IO_ERROR, as strerror(3) has it
		Operation string `json:"operation"` // of BLOCK_IO_ERROR
	} `json:"data"`
	Forwards []Forward `json:"-"` // of eventForwards
}

// eventForwards is an event of this package's own: it is known which ports of
// the host QEMU has.
const eventForwards = "FORWARDS"

type answer struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
}

// A message is any of those that QEMU sends.
type message struct {
	Event
	answer
}

// maxMessages is how many bytes QEMU may send.
const maxMessages = 64 << 20

// NewMonitor takes up the conversation on a connection to QEMU.
func NewMonitor(conn net.Conn) (*Monitor, error) {
	m := &Monitor{conn: conn, answers: make(chan answer, 1), events: make(chan Event, 16)}
	go m.read()
	if _, err := m.Do("qmp_capabilities", nil); err != nil {
		conn.Close()
		return nil, err
	}
	return m, nil
}

// Events returns the events that QEMU sends, until the connection ends.
func (m *Monitor) Events() <-chan Event { return m.events }

// Close ends the conversation.
func (m *Monitor) Close() error { return m.conn.Close() }

// Do has QEMU execute a command, and returns what it returns. It waits as long as
// QEMU lives: on a host that is busy, an answer can take long.
func (m *Monitor) Do(command string, arguments any) (json.RawMessage, error) {
	m.write.Lock()
	defer m.write.Unlock()
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	line, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if _, err := m.conn.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	a, ok := <-m.answers
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: QEMU has ended", command)
	case a.Error != nil:
		return nil, fmt.Errorf("%s: %s", command, a.Error.Desc)
	}
	return a.Return, nil
}

// read passes on what QEMU sends. Events that nobody takes are dropped, but for
// the last ones.
func (m *Monitor) read() {
	defer close(m.events)
	defer close(m.answers)
	in := json.NewDecoder(io.LimitReader(m.conn, maxMessages))
	for {
		var got message
		if err := in.Decode(&got); err != nil {
			return
		}
		switch {
		case got.Event.Name != "":
			for !m.offer(got.Event) {
				<-m.events
			}
		case got.Return != nil || got.answer.Error != nil:
			select {
			case m.answers <- got.answer:
			default: // nobody has asked
			}
		}
	}
}

func (m *Monitor) offer(e Event) bool {
	select {
	case m.events <- e:
		return true
	default:
		return false
	}
}
