// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sshOthers: clients other than OpenSSH's log in, and accept no other host key.
func (u user) sshOthers(t *testing.T) {
	need(t, "dbclient", "dropbearconvert", "script", "/usr/bin/python3")
	_, config, _ := strings.Cut(read(t, u.machineFile("bb", "ssh_config")), "\tPort ")
	port, _, _ := strings.Cut(config, "\n")
	t.Run("dbclient", func(t *testing.T) { u.sshDbclient(t, port) })
	t.Run("paramiko", func(t *testing.T) {
		if exec.Command("/usr/bin/python3", "-c", "import paramiko").Run() != nil {
			need(t, "paramiko")
		}
		cmd := u.command("/usr/bin/python3", "-", port, filepath.Dir(u.machineFile("bb", "ssh_config")))
		cmd.Stdin = strings.NewReader(read(t, "testdata/login.py"))
		output(t, cmd)
	})
}

// sshDbclient: dropbear's client has the status, the streams and the terminal of a
// command, and carries sftp.
func (u user) sshDbclient(t *testing.T, port string) {
	output(t, u.command("sh", "-ec", `dropbearconvert openssh dropbear "$1/id_ed25519" dropbear
		mkdir -m 700 .ssh && sed 's/^guest /127.0.0.1 /' "$1/known_hosts" >.ssh/known_hosts`, "sh", filepath.Dir(u.machineFile("bb", "ssh_config"))))
	dbclient := "dbclient -i " + u.home + "/dropbear -p " + port + " "
	cmd := u.command("sh", "-c", dbclient+`web@127.0.0.1 'id -u; wc -c; exit 5'`)
	cmd.Stdin = strings.NewReader(strings.Repeat("x", 100_000))
	if o := finish(t, cmd); o.code != 5 || o.stdout != "101\n100000\n" {
		t.Errorf("exit %d, %q; %s", o.code, o.stdout, o.stderr)
	}

	shown, said, code := u.types(t, dbclient+"root@127.0.0.1", "# ", "echo is $(stty size) $(id -u); exit 3\n")
	if code != 3 || !strings.Contains(shown, "\nis 30 90 0\n") {
		t.Errorf("exit %d, %q; %s", code, shown, said)
	}

	// sftp gives OpenSSH's options to the program of -S.
	if err := os.WriteFile(filepath.Join(u.home, "carry"), []byte("#!/bin/sh\nexec "+dbclient+"-s web@127.0.0.1 sftp\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	batch := u.command("sftp", "-q", "-S", filepath.Join(u.home, "carry"), "-b", "-", "bb")
	batch.Stdin = strings.NewReader("put there dropbear\nget dropbear returned\nrm dropbear\n")
	output(t, batch)
	output(t, u.command("cmp", "there", "returned"))

	output(t, u.command("sed", "-i", "s/AAAAI....../AAAAIAAAAAA/", ".ssh/known_hosts"))
	if o := finish(t, u.command("sh", "-c", dbclient+"root@127.0.0.1 true")); o.code == 0 || !strings.Contains(o.stderr, "mismatch") {
		t.Errorf("another host key: exit %d, %s", o.code, o.stderr)
	}
}
