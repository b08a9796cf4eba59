// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// A variables holds NAME=VALUE pairs that a client asks for.
type variables struct {
	pairs []string
	size  int
}

// add adds what an env request holds (RFC 4254, section 6.4), unless that is no
// variable or too much.
func (v *variables) add(payload []byte) bool {
	var m struct{ Name, Value string }
	if ssh.Unmarshal(payload, &m) != nil || m.Name == "" || strings.Contains(m.Name, "=") {
		return false
	}
	pair := m.Name + "=" + m.Value
	if strings.IndexByte(pair, 0) >= 0 || len(v.pairs) >= maxVariables || v.size+len(pair) > maxEnv {
		return false
	}
	v.pairs = append(v.pairs, pair)
	v.size += len(pair)
	return true
}

// environment returns the variables of a session. What the image has is replaced
// by what the account has, and that by what the client asks for; nothing
// replaces what is true of the connection.
func (s *session) environment() []string {
	a := s.conn.account
	account := []string{"USER=" + a.Name, "LOGNAME=" + a.Name, "HOME=" + a.Home, "SHELL=" + a.shell()}
	return MergeEnv([]string{"PATH=" + usualPath}, s.conn.Env, account, s.asked.pairs, s.connection())
}

// connection returns the variables that describe the connection, as sshd(8) has
// them.
func (s *session) connection() []string {
	from, to := s.conn.client.RemoteAddr(), s.conn.client.LocalAddr()
	host, port := hostPort(from)
	serverHost, serverPort := hostPort(to)
	env := []string{
		"SSH_CLIENT=" + host + " " + port + " " + serverPort,
		"SSH_CONNECTION=" + host + " " + port + " " + serverHost + " " + serverPort,
	}
	if s.terminal != nil {
		env = append(env, "SSH_TTY="+s.terminal.name, "TERM="+s.terminal.kind)
	}
	if s.agent != "" {
		env = append(env, "SSH_AUTH_SOCK="+s.agent)
	}
	return env
}

// hostPort returns the parts of an IP address. Others, such as vsock's, are not
// known, in OpenSSH's words.
func hostPort(a net.Addr) (host, port string) {
	if _, ok := a.(*net.TCPAddr); ok {
		if host, port, err := net.SplitHostPort(a.String()); err == nil {
			return host, port
		}
	}
	return "UNKNOWN", "65535"
}

// MergeEnv returns the variables of all lists. The last value of a name holds, in
// the place of the first. What is no NAME=VALUE is left out.
func MergeEnv(lists ...[]string) (env []string) {
	at := map[string]int{}
	for _, pair := range slices.Concat(lists...) {
		name, _, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			continue
		}
		if i, ok := at[name]; ok {
			env[i] = pair
			continue
		}
		at[name] = len(env)
		env = append(env, pair)
	}
	return env
}

// value returns the value of a variable, "" if it is not set.
func value(env []string, name string) string {
	for _, pair := range env {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			return v
		}
	}
	return ""
}
