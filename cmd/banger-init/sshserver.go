// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"

	"github.com/mdlayher/vsock"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"banger/lib/guest"
	"banger/lib/sshd"
)

// helperName is the argv[0] of the processes of SSH sessions.
const helperName = "banger-session"

// agentSockets is the directory of the sockets of forwarded SSH agents. An image
// may have no /tmp.
const agentSockets = "/run/banger"

// ttyGroup is the group of terminals, as devpts is mounted.
const ttyGroup = 5

// newServer returns the SSH server of the guest.
func (s *service) newServer() (*sshd.Server, error) {
	keys, err := sshd.ParseAuthorizedKeys(s.Keys)
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", guest.AuthorizedKeys, err)
	}
	host, err := ssh.ParsePrivateKey(s.HostKey)
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", guest.HostKey, err)
	}
	return &sshd.Server{
		HostKey: host, Keys: keys, Account: account, Env: s.Env,
		Helper: []string{"/proc/self/exe", helperName}, TTYGroup: ttyGroup, AgentDir: agentSockets,
		Subsystems: map[string]sshd.Subsystem{
			guest.StatusSubsystem:   s.writeStatus,
			guest.ShutdownSubsystem: s.shutdown,
		},
		Log: say,
	}, nil
}

// account finds a user in the image.
func account(name string) (sshd.Account, error) {
	passwd, group, err := guest.Accounts(dirRoot("/"))
	if err != nil {
		return sshd.Account{}, err
	}
	return sshd.FindAccount(name, passwd, group)
}

// serveVsock serves SSH on vsock, where the kernel and the machine have it.
func serveVsock(server *sshd.Server) error {
	l, err := vsock.ListenContextID(unix.VMADDR_CID_ANY, guest.SSHVsockPort, nil) // whatever id a restored snapshot has
	if err != nil {
		return err
	}
	go server.Serve(l)
	return nil
}

// serveTCP serves SSH on an address of the kernel parameter.
func serveTCP(server *sshd.Server, address string) error {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return fmt.Errorf("%s=%s: not of the form ADDRESS:PORT", guest.SSHParameter, address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go server.Serve(l)
	return nil
}

// serveSSH serves SSH on vsock at once, and on TCP once networked is closed.
func (s *service) serveSSH(networked <-chan struct{}) {
	defer close(s.listening)
	if s.Keys == nil || s.HostKey == nil {
		return // process 1 says so
	}
	server, err := s.newServer()
	if err != nil {
		s.complain(fmt.Sprintf("no SSH: %v", err))
		return
	}
	served := serveVsock(server) == nil
	if s.Listen != "" {
		<-networked
		if err := serveTCP(server, s.Listen); err != nil {
			s.complain(fmt.Sprintf("SSH: %v", err))
		} else {
			served = true
		}
	}
	if !served {
		s.complain(fmt.Sprintf("no SSH: no vsock, and no kernel parameter %s=ADDRESS:PORT", guest.SSHParameter))
		return
	}
	s.set(func() { s.times.SSH = sinceBoot() })
}

// complain reports what is wrong, on the console and to the host.
func (s *service) complain(text string) {
	say("%s", text)
	s.send(guest.StatusText + printable(text))
}

// writeStatus is the subsystem that describes the guest.
func (s *service) writeStatus(_ sshd.Account, _ io.Reader, out io.Writer) int {
	document := guest.Status{Addresses: addresses()}
	document.Hostname, _ = os.Hostname()
	s.set(func() {
		document.Rule, document.Command = s.plan.Rule, s.plan.Args
		document.Started, document.Times = s.started, s.times
	})
	if json.NewEncoder(out).Encode(document) != nil {
		return 1
	}
	return 0
}

// addresses returns the addresses of the guest that others can reach.
func addresses() (all []netip.Prefix) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range found {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			all = append(all, p)
		}
	}
	return all
}
