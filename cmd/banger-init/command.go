// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// usual are the variables that docker run gives every command. The kernel's
// environment says what terminal it is.
func usual(home, hostname string, terminal bool, kernel []string) []string {
	env := []string{"PATH=" + guest.UsualPath, "HOME=" + home, "HOSTNAME=" + hostname}
	if !terminal {
		return env
	}
	term := "linux"
	for _, pair := range kernel {
		if value, ok := strings.CutPrefix(pair, "TERM="); ok && value != "" {
			term = value
		}
	}
	return append(env, "TERM="+term)
}

// lookup finds a command as a shell would, seen from a directory. If it does
// not, it says which status that is.
func lookup(command, dir, path string) (found string, status int, err error) {
	status, err = notFound, fs.ErrNotExist
	for from := range guest.Candidates(command, dir, path) {
		switch info, e := os.Stat(from); {
		case errors.Is(e, fs.ErrPermission):
			status, err = notExecutable, fs.ErrPermission
		case e != nil:
		case info.IsDir() || unix.Access(from, unix.X_OK) != nil:
			status, err = notExecutable, fs.ErrPermission
		default:
			return from, 0, nil
		}
	}
	return "", status, fmt.Errorf("%s: %w", guest.Quote(command), err)
}

// explainExec says why a program that is there could not be run.
func explainExec(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && exists(path):
		return errors.New("the loader or interpreter that it asks for is not in the image")
	case errors.Is(err, unix.ENOEXEC):
		return errors.New("neither a program for this processor nor a script that names its interpreter")
	}
	return err
}
