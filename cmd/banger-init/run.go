// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"banger/lib/guest"
)

// networkTime is how long the init or the command waits for the network.
const networkTime = 25 * time.Second

// run brings up what is the same for every rule, and then the init or the
// command. The root has been entered.
func (m *machine) run() (status int, err error) {
	m.asked = requests()
	loopbackUp()
	m.name = nameMachine(m.line["ip"], m.wishes.Hostname)
	if err := provideHosts("/", m.name); err != nil {
		say("/etc/hosts: %v", err)
	}
	m.agent = startAgent(statusAddress(m.line), m.line["ip"])
	plan, err := guest.Decide(dirRoot("/"), m.config, m.line["init"], m.wishes.Args, m.wishes.User)
	if err != nil {
		return cannotRun, err
	}
	m.announce(plan)
	if m.line["ip"] != "" {
		m.agent.awaitNetwork(networkTime)
	}
	if plan.IsInit() {
		return m.becomeInit(plan)
	}
	takeCtrlAltDel()
	furnish()
	if plan.Rule == guest.Idle {
		return m.idle()
	}
	return m.supervise(plan)
}

// announce says what is run and why. A console that is the command's output
// alone, as banger.raw has it, is spared.
func (m *machine) announce(plan guest.Plan) {
	text := "runs " + guest.Describe(dirRoot("/"), plan)
	for _, broken := range plan.Broken {
		text += "; not " + broken
	}
	m.agent.status(text)
	if !m.line.has("banger.raw") {
		say("%s", text)
	}
}

// idle waits until the machine is to end.
func (m *machine) idle() (status int, err error) {
	m.agent.started()
	reapUntil(m.asked)
	return 0, nil
}
