// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// become executes the command, or the shell. It returns only if that fails.
func (j job) become() (status int, err error) {
	if err := noNUL(string(j.Command)); err != nil {
		return notExecutable, err
	}
	env := make([]string, len(j.Env))
	for i, pair := range j.Env {
		env[i] = string(pair)
	}
	if shell := j.findShell(); shell != "" {
		err := unix.Exec(shell, j.shellArgs(shell), env)
		return notExecutable, explain(shell, err)
	}
	if j.Do == doShell {
		return notFound, errors.New("there is no shell here; give a command")
	}
	words, err := splitWords(string(j.Command))
	if err != nil {
		return notFound, fmt.Errorf("there is no shell here: %w", err)
	}
	program, status, err := lookUp(words[0], env)
	if err != nil {
		return status, err
	}
	err = unix.Exec(program, words, env)
	return notExecutable, explain(program, err)
}

// findShell returns the user's shell, or the usual one where that is not there; ""
// if there is none.
func (j job) findShell() string {
	for _, shell := range []string{string(j.Shell), usualShell} {
		if executable(shell) == nil {
			return shell
		}
	}
	return ""
}

// shellArgs makes no login shell: that would take PATH from /etc/profile, not
// from the image. Without a terminal, a shell reads commands.
func (j job) shellArgs(shell string) []string {
	args := []string{path.Base(shell)}
	switch {
	case j.Do == doCommand:
		return append(args, "-c", string(j.Command))
	case j.Terminal:
		return append(args, "-i")
	}
	return args
}

// lookUp finds a command in PATH, as a shell would.
func lookUp(command string, env []string) (program string, status int, err error) {
	candidates := []string{command}
	if !strings.Contains(command, "/") {
		candidates = nil
		for _, dir := range filepath.SplitList(value(env, "PATH")) {
			candidates = append(candidates, filepath.Join(dir, command))
		}
	}
	status, err = notFound, fs.ErrNotExist
	for _, c := range candidates {
		switch e := executable(c); {
		case e == nil:
			return c, 0, nil
		case !errors.Is(e, fs.ErrNotExist):
			status, err = notExecutable, e
		}
	}
	return "", status, fmt.Errorf("there is no shell here, and to run %q: %w", command, err)
}

func executable(program string) error {
	info, err := os.Stat(program)
	switch {
	case errors.Is(err, unix.ENOTDIR):
		return fs.ErrNotExist
	case err != nil:
		return errors.Unwrap(err)
	case !info.Mode().IsRegular():
		return fs.ErrPermission
	}
	return unix.Access(program, unix.X_OK)
}

// explain says why a program that is there could not be executed.
func explain(program string, err error) error {
	switch err {
	case unix.ENOENT:
		err = errors.New("the loader or interpreter that it asks for is not here")
	case unix.ENOEXEC:
		err = errors.New("neither a program for this processor nor a script that names its interpreter")
	case unix.E2BIG:
		err = errors.New("the command and its environment are too long")
	}
	return fmt.Errorf("%q: %w", program, err)
}
