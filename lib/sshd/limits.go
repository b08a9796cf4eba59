// SPDX-License-Identifier: Apache-2.0

package sshd

import "time"

// What a client may make the server keep or wait for. Packets are at most 256 KiB
// and a channel holds at most 2 MiB that are not read yet, by
// golang.org/x/crypto/ssh.
const (
	maxEntering  = 10               // clients that are not authenticated; others wait
	maxAuthTime  = 10 * time.Second // for each of them
	maxAuthTries = 20               // keys: an agent may hold many
	maxUserName  = 256              // bytes

	maxChannels  = 512      // that the client opens on a connection, and as many for those to its listeners
	maxListeners = 128      // of a connection
	maxVariables = 256      // of a session's environment
	maxEnv       = 32 << 10 // bytes of it

	maxStarting  = 8                // processes being started; for each connection, processes that open sockets
	maxStartTime = 10 * time.Second // for each of them
	maxDialTime  = 30 * time.Second
	maxDrainTime = 30 * time.Second // for data to reach a socket whose client is gone
)

// copySize is how many bytes are copied at a time.
const copySize = 32 << 10
