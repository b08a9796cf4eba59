// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"banger/lib/guest"
	"banger/lib/sshd"
)

// networkTime is how long the init or the command waits for the network.
const networkTime = 25 * time.Second

// run brings up what is the same for every rule, and then the init or the
// command. The root has been entered.
func (m *machine) run() (status int, err error) {
	m.asked = requests()
	mountTerminals()
	loopbackUp()
	m.name = nameMachine(m.line["ip"], m.wishes.Hostname)
	if err := provideHosts("/", m.name); err != nil {
		say("/etc/hosts: %v", cause(err))
	}
	m.agent = startAgent(m.task())
	plan, err := guest.Decide(dirRoot("/"), m.config, m.line["init"], m.wishes.Args, m.wishes.User)
	if err != nil {
		return cannotRun, err
	}
	m.agent.send(message{Plan: &plan})
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

// task returns what the agent has to know.
func (m *machine) task() task {
	return task{
		Notify: statusAddress(m.line), IP: m.line["ip"], Listen: m.line[guest.SSHParameter],
		Keys: credential(m.credentials, guest.AuthorizedKeys), HostKey: credential(m.credentials, guest.HostKey),
		Env: sshd.MergeEnv(m.config.Env, m.wishes.Env), Restart: m.line.has("reboot"), Times: m.times,
	}
}

// noKeys is said of a machine that nobody can log in to.
const noKeys = "; no SSH: no keys in the initrd"

// announce says what is run and why. A console that is the command's output
// alone, as banger.raw has it, is spared.
func (m *machine) announce(plan guest.Plan) {
	text := "runs " + guest.Describe(dirRoot("/"), plan)
	for _, broken := range plan.Broken {
		text += "; not " + broken
	}
	if credential(m.credentials, guest.AuthorizedKeys) == nil || credential(m.credentials, guest.HostKey) == nil {
		text += noKeys
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
