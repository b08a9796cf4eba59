// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// vars are environment variables.
type vars map[string]string

// environment returns the environment of a command: defaults, overridden by TERM
// from the kernel command line, overridden by the image's variables.
func environment(kernel, image []string) vars {
	env := vars{"PATH": defaultPath, "HOME": "/root", "TERM": "linux"}
	for _, pair := range kernel {
		if name, value, _ := strings.Cut(pair, "="); name == "TERM" {
			env[name] = value
		}
	}
	for _, pair := range image {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return env
}

func (v vars) list() (pairs []string) {
	for name, value := range v {
		pairs = append(pairs, name+"="+value)
	}
	return pairs
}

// lookup finds a command as a shell in dir would. With an error, it returns the
// exit status for it.
func lookup(command, dir, path string) (found string, status int, err error) {
	candidates := []string{command}
	if !strings.Contains(command, "/") {
		candidates = nil
		for _, in := range filepath.SplitList(path) {
			candidates = append(candidates, filepath.Join(in, command))
		}
	}
	status, err = notFound, fs.ErrNotExist
	for _, c := range candidates {
		from := c
		if !filepath.IsAbs(c) {
			from = filepath.Join("/", dir, c)
		}
		switch info, e := os.Stat(from); {
		case e != nil:
		case info.IsDir() || info.Mode()&0o111 == 0:
			status, err = notExecutable, fs.ErrPermission
		default:
			return from, 0, nil
		}
	}
	return "", status, fmt.Errorf("%s: %w", command, err)
}

// explainExec returns the reason why an existing program could not be executed.
func explainExec(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && exists(path):
		return errors.New("its loader or interpreter is not in the image")
	case errors.Is(err, unix.ENOEXEC):
		return errors.New("neither a program for this processor nor a script with an interpreter")
	}
	return err
}
