// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Credential is a secret or a setting that an initrd gives to a guest, as
// systemd.system-credentials(7) has it.
type Credential struct {
	ID   string
	Data []byte
}

// CredentialsDir is the directory of an initrd that holds a file for each
// credential.
const CredentialsDir = "credentials"

// The credentials that the agent reads.
const (
	AuthorizedKeys = "ssh.ephemeral-authorized_keys-all" // public keys that may log in as any user, a line each
	HostKey        = "banger.ssh_host_ed25519_key"       // the agent's host key, as ssh-keygen writes it
)

// Where the agent's SSH server listens.
const (
	SSHVsockPort = 22           // always, where the guest has vsock
	SSHParameter = "banger.ssh" // kernel parameter ADDRESS:PORT, for TCP
	SSHPort      = 2222         // of TCP, by default: 22 is for the image's own sshd
)

// Subsystems of the agent's SSH server.
const (
	StatusSubsystem   = "status@banger"   // one JSON document, a Status
	ShutdownSubsystem = "shutdown@banger" // ends the machine
)

// MaxCredential is the size in bytes of the largest credential, as systemd has it.
const MaxCredential = 1 << 20

// CheckCredential refuses what systemd would not take for a credential.
func CheckCredential(c Credential) error {
	bad := func(r rune) bool { return r == '/' || r == ':' || unicode.IsControl(r) }
	switch {
	case c.ID == "" || c.ID == "." || c.ID == ".." || len(c.ID) > 255 || !utf8.ValidString(c.ID) || strings.ContainsFunc(c.ID, bad):
		return fmt.Errorf("%q: not the name of a credential", c.ID)
	case len(c.Data) > MaxCredential:
		return fmt.Errorf("credential %s: %d bytes, the limit is %d", c.ID, len(c.Data), MaxCredential)
	}
	return nil
}
