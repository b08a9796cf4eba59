// SPDX-License-Identifier: Apache-2.0

// Package sshd is an SSH server: golang.org/x/crypto/ssh with sessions on top.
// It runs commands and shells, with or without a terminal, serves sftp, forwards
// TCP and unix sockets in both directions, and forwards the client's agent.
//
// Who has one of the keys may log in as any user. All that a session does is done
// with the ids of its user, in processes of their own: the server starts a
// program that calls [RunHelper], usually itself, and that process takes the
// user's ids and does one [job]. It becomes the command, serves sftp, or opens a
// socket and passes it back. So files and sockets belong to the user, the
// kernel checks what the user may do, and an error in a session does not reach the
// server. Only connections to TCP ports are made by the server itself.
//
// The server runs no program that is not asked for and needs no file but /dev/ptmx,
// for terminals: it works where there is no shell, no /etc/passwd and no /tmp.
//
// What a client sends is limited before it has authenticated: see limits.go. A
// client that has can do what its user can do, and what it makes the server keep
// in memory is limited.
package sshd

import (
	"context"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// version is the first line that the server sends (RFC 4253, section 4.2).
const version = "SSH-2.0-banger"

// A Server serves SSH. Its fields are not changed once it serves.
type Server struct {
	HostKey ssh.Signer
	Keys    []ssh.PublicKey // that may log in, as any user

	// Account finds a user by the name that a client gives. Its error is shown to
	// the client.
	Account func(name string) (Account, error)

	// Helper is the file of a program that calls RunHelper, and what it is to find
	// in os.Args. The program is started with no environment.
	Helper []string

	Env        []string             // what each session's environment starts from
	Root       string               // the root directory of sessions, if not the server's
	TTYGroup   int                  // the group of terminals, mode 620; 0 leaves what devpts gives
	AgentDir   string               // where sockets of forwarded agents are; "" refuses to forward
	Subsystems map[string]Subsystem // beside sftp

	// Log is told of what fails in the server. A client that has not authenticated
	// can log nothing.
	Log func(format string, args ...any)

	once     sync.Once
	config   *ssh.ServerConfig
	authTime time.Duration // if not the usual one
	entering slots         // of clients that are not authenticated yet
	starting slots         // of sessions' processes that are being started
}

// Serve accepts connections until l is closed. Connections that are open then are
// served on. It may be called for several listeners at a time.
func (s *Server) Serve(l net.Listener) error {
	s.once.Do(s.init)
	return s.accept(l, func(c net.Conn) {
		s.entering.wait(context.Background())
		go s.serve(c)
	})
}

func (s *Server) init() {
	s.config = s.authentication()
	s.entering = make(slots, maxEntering)
	s.starting = make(slots, maxStarting)
	if s.authTime == 0 {
		s.authTime = maxAuthTime
	}
}

// serve serves a connection, which counts as entering until it is authenticated.
func (s *Server) serve(c net.Conn) {
	defer c.Close()
	late := time.AfterFunc(s.authTime, func() { c.Close() })
	client, channels, requests, err := ssh.NewServerConn(c, s.config)
	late.Stop()
	s.entering.release()
	if err != nil {
		return
	}
	// If it was late all the same, c is closed. What the client has sent is still
	// taken, else golang.org/x/crypto/ssh would wait for that.
	account, ok := client.Permissions.ExtraData[accountKey{}].(Account)
	if !ok {
		return
	}
	newConn(s, client, account).serve(channels, requests)
}

func (s *Server) logf(format string, args ...any) {
	if s.Log != nil {
		s.Log(format, args...)
	}
}
