// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"

	"banger/lib/guest"
)

// askPatience is how long the agent may take to answer.
const askPatience = 3 * time.Second

// ask asks the guest to end: by its agent, else by Ctrl-Alt-Del, which every init
// takes for a request to restart. A guest that has not started anything would not
// answer.
func (a *attempt) ask() {
	a.mu.Lock()
	m := a.monitor
	a.mu.Unlock()
	if m == nil || !a.b.record.Ready && !a.b.foreign {
		a.qemu.end()
		return
	}
	port := a.b.record.SSH
	go func() {
		if port == 0 || a.b.keys.askAgent(port) != nil {
			pressCtrlAltDel(m)
		}
	}()
}

// askAgent asks the agent behind a port of 127.0.0.1 to end its machine.
func (k keys) askAgent(port uint16) error {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), askPatience)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(askPatience))
	c, channels, requests, err := ssh.NewClientConn(conn, hostKeyAlias, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(k.client.signer)},
		HostKeyCallback: ssh.FixedHostKey(k.host.signer.PublicKey()),
	})
	if err != nil {
		return err
	}
	session, err := ssh.NewClient(c, channels, requests).NewSession()
	if err != nil {
		return err
	}
	return session.RequestSubsystem(guest.ShutdownSubsystem)
}

// pressCtrlAltDel presses these keys of the machine's keyboard.
func pressCtrlAltDel(m *Monitor) {
	keys := []map[string]string{}
	for _, key := range []string{"ctrl", "alt", "delete"} {
		keys = append(keys, map[string]string{"type": "qcode", "data": key})
	}
	m.Do("send-key", map[string]any{"keys": keys})
}
