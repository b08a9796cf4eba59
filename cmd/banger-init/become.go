// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// becomeInit executes the init in this process, with the words of the kernel's
// command line that the kernel has left to it. It returns only if that fails.
//
// The environment is the kernel's, not the image's: many an image sets
// container=docker, which would make systemd take the machine for a container.
func (m *machine) becomeInit(plan guest.Plan) (status int, err error) {
	program, status, err := lookup(plan.Args[0], "/", guest.SearchPath(m.config.Env))
	if err != nil {
		return status, err
	}
	env := os.Environ()
	if resolved, _, err := dirRoot("/").Resolve(program); err == nil && path.Base(resolved) == "systemd" {
		if err := maskSSHSocket("/run"); err != nil {
			say("%v", err)
		}
		if len(m.credentials) > 0 {
			env = append(env, "CREDENTIALS_DIRECTORY="+systemCredentials)
		}
	}
	err = unix.Exec(program, slices.Concat(plan.Args, os.Args[1:]), env)
	return notExecutable, fmt.Errorf("%s: %w", program, explainExec(program, err))
}

// maskSSHSocket keeps systemd 256 and later from taking vsock port 22, the
// agent's, for an sshd of the image (systemd-ssh-generator(8)).
func maskSSHSocket(run string) error {
	dir := filepath.Join(run, "systemd/system")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Symlink("/dev/null", filepath.Join(dir, "sshd-vsock.socket"))
}
