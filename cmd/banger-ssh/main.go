// SPDX-License-Identifier: Apache-2.0

// Command banger-ssh logs in to a machine that banger-boot runs.
package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"banger/lib/filter"
	"banger/lib/machine"
	"banger/lib/status"
	"banger/lib/store"
	"banger/lib/xdg"
)

const help = `Usage: banger-ssh [SSH-OPTION...] [USER@]MACHINE [COMMAND...]
       banger-ssh

Runs ssh with the configuration of a running machine, as root unless USER is
given. Waits until the machine is ready. Without arguments, logs in to the only
machine that is running.

    $ banger boot -d debian-bookworm
    debian-bookworm
    $ banger ssh debian-bookworm
    $ banger ssh -L 8080:localhost:80 debian-bookworm uname -a
`

func main() {
	tool := filter.New("banger-ssh", help)
	args := os.Args[1:]
	if len(args) > 0 && slices.Contains([]string{"--help", "-h", "--version"}, args[0]) {
		args = nil
	} else {
		os.Args = os.Args[:1] // the options are those of ssh
	}
	os.Exit(tool.Run(func(ctx context.Context, _ []string) error {
		a, err := split(args)
		if err != nil {
			return err
		}
		return run(ctx, a)
	}))
}

// run becomes ssh, once the machine is ready.
func run(ctx context.Context, a arguments) error {
	dir, err := xdg.Runtime(os.Getenv, os.Getuid())
	if err != nil {
		return err
	}
	dirs := machine.Dirs(dir)
	if a.destination == "" {
		if a.destination, err = only(dirs); err != nil {
			return err
		}
	}
	name := a.destination[strings.LastIndexByte(a.destination, '@')+1:]
	if err := store.CheckName(name); err != nil {
		return err
	}
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		return status.Hint(status.Errorf(status.NoInput, "ssh: not found"), "install openssh-client")
	}
	if err := dirs.Wait(ctx, name); err != nil {
		return err
	}
	words := slices.Concat([]string{"ssh", "-F", dirs.SSHConfig(name)}, a.options, []string{"--", a.destination}, a.rest)
	return syscall.Exec(ssh, words, os.Environ())
}

// only returns the name of the only machine that is running.
func only(dirs machine.Dirs) (string, error) {
	all, err := dirs.List()
	switch {
	case err != nil:
		return "", err
	case len(all) == 0:
		return "", status.Hint(status.With(status.NoInput, errors.New("no machine is running")), "banger boot NAME")
	case len(all) > 1:
		return "", status.Hint(filter.Usagef("%d machines are running", len(all)), "banger ssh %s", all[0].Name)
	}
	return all[0].Name, nil
}
