// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"banger/lib/guest"
	"banger/lib/status"
)

// A Command is one step of a boot, in a form that can be run by hand. What the
// program does itself is shown as the command that would do the same.
type Command struct {
	Args   []string
	Dir    string // the directory it is run in, "" for any
	Output string // the file that standard output goes to, "" for none
}

// do shows a command, and does what it would do by f.
func (b *Boot) do(c Command, f func() error) error {
	b.Show(c)
	if b.dry {
		return nil
	}
	return f()
}

// String returns the command as a shell reads it.
func (c Command) String() string {
	line := guest.Words(c.Args)
	if c.Output != "" {
		line += " >" + guest.Quote(c.Output)
	}
	if c.Dir != "" {
		line = "cd " + guest.Quote(c.Dir) + " && " + line
	}
	return line
}

// systemDirs have programs that are not in the PATH of every user.
var systemDirs = []string{"/usr/sbin", "/sbin"}

// find returns the path of a program, looked for in PATH and in systemDirs.
func find(program, pkg string) (string, error) {
	path, err := exec.LookPath(program)
	for i := 0; err != nil && i < len(systemDirs); i++ {
		path, err = exec.LookPath(filepath.Join(systemDirs[i], program))
	}
	if err != nil {
		return "", status.Hint(status.Errorf(status.NoInput, "%s: not found", program), "install %s", pkg)
	}
	return path, nil
}

// run runs a program of the host to its end and returns its exit status. An
// error is one of running it; what it has printed is returned.
func run(ctx context.Context, program, dir string, args ...string) (code int, output string, err error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal of the terminal is this program's to handle
	err = cmd.Run()
	if ctx.Err() != nil {
		return 0, "", ctx.Err()
	}
	if errors.As(err, new(*exec.ExitError)) {
		err = nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", filepath.Base(program), err)
	}
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(out.String()), nil
}
