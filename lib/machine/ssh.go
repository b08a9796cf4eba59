// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"banger/lib/guest"
	"banger/lib/status"
)

// Files of a machine's directory by which OpenSSH reaches the guest.
const (
	sshConfigFile  = "ssh_config"
	clientKeyFile  = "id_ed25519"
	knownHostsFile = "known_hosts"
)

// hostKeyAlias is the name of the guest in known_hosts: its port is chosen by
// QEMU.
const hostKeyAlias = "guest"

// keys are the two keys of a machine. The guest gets the public half of the
// client's and all of its own.
type keys struct{ client, host key }

// makeKeys makes the keys, and the files of the machine's directory that do not
// depend on the port.
func (d *Dir) makeKeys() (k keys, err error) {
	if k.client, err = newKey("banger " + d.Name); err != nil {
		return k, err
	}
	if k.host, err = newKey("guest " + d.Name); err != nil {
		return k, err
	}
	for name, text := range map[string][]byte{
		clientKeyFile:  k.client.private,
		knownHostsFile: fmt.Appendf(nil, "%s %s\n", hostKeyAlias, k.host.public),
	} {
		if err := os.WriteFile(d.file(name), text, 0o600); err != nil {
			return k, status.With(status.Create, err)
		}
	}
	return k, nil
}

// credentials returns what the guest's agent needs, nothing if there are no keys.
func (k keys) credentials() []guest.Credential {
	if k.client.signer == nil {
		return nil
	}
	return []guest.Credential{
		{ID: guest.HostKey, Data: k.host.private},
		{ID: guest.AuthorizedKeys, Data: append(k.client.public, '\n')},
	}
}

// writeSSHConfig writes the file that ssh -F takes, for a port of the host that
// leads to the guest. All values are the host's.
func (d *Dir) writeSSHConfig(port uint16) error {
	text := fmt.Sprintf(`Host %s
	HostName 127.0.0.1
	Port %d
	User root
	IdentityFile %s
	IdentitiesOnly yes
	PreferredAuthentications publickey
	HostKeyAlias %s
	HostKeyAlgorithms ssh-ed25519
	StrictHostKeyChecking yes
	UpdateHostKeys no
	UserKnownHostsFile %s
	GlobalKnownHostsFile /dev/null
`, d.Name, port, sshQuote(d.file(clientKeyFile)), hostKeyAlias, sshQuote(d.file(knownHostsFile)))
	return writeWhole(d.file(sshConfigFile), []byte(text))
}

// sshQuote returns a path as a value of ssh_config(5). A % is the start of a
// token there.
func sshQuote(path string) string { return `"` + strings.ReplaceAll(path, "%", "%%") + `"` }

// writeWhole writes a file in one step.
func writeWhole(path string, text []byte) error {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return status.With(status.Create, err)
	}
	return os.Rename(temporary, path)
}

// SSHConfig returns the path of the ssh_config of a machine.
func (d Dirs) SSHConfig(name string) string { return filepath.Join(string(d), name, sshConfigFile) }
