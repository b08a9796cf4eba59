// SPDX-License-Identifier: Apache-2.0

package sshd

import "encoding/json"

// A job is what a helper process is told to do, as JSON on descriptor jobFD.
// Texts of the client and of passwd(5) are bytes: they need not be UTF-8.
type job struct {
	Do       string
	Root     string
	UID, GID int
	Groups   []int
	Home     []byte
	Env      [][]byte

	// To run a command.
	Shell    []byte
	Command  []byte
	Terminal bool // an interactive shell has one

	// To open a socket, and to make a directory for one.
	Address []byte
	Dir     string
}

// What there is to do.
const (
	doCommand     = "command"      // run the command with the shell
	doShell       = "shell"        // run the shell
	doSFTP        = "sftp"         // serve sftp on the standard streams
	doDial        = "dial"         // connect to a unix socket
	doListen      = "listen"       // listen on a unix socket
	doListenTCP   = "listen tcp"   // listen on a TCP port
	doAgentSocket = "agent socket" // listen on a unix socket in a new directory
)

// jobFD is a helper's end of a unix stream socket. The helper reads its job from
// it. If it opens a socket, it sends that, or a text that says why it did not.
// The end of the helper's stream says that it does what it was told: exec
// closes the descriptor.
const jobFD = 3

// newJob returns a job for the user of the connection. The user's group is among
// the supplementary ones too, as initgroups(3) has it.
func (c *conn) newJob(do string) job {
	a := c.account
	groups := append([]int{a.GID}, a.Groups...)
	return job{Do: do, Root: c.Root, UID: a.UID, GID: a.GID, Groups: groups, Home: []byte(a.Home), Shell: []byte(a.shell())}
}

func (j job) marshal() []byte {
	text, err := json.Marshal(j)
	if err != nil {
		panic(err) // strings, bytes and numbers
	}
	return text
}
