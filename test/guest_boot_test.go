// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A booted is a machine in the foreground.
type booted struct {
	t       *testing.T
	cmd     *exec.Cmd
	keys    io.WriteCloser
	console io.Reader
	shown   string // what is not yet awaited
	stderr  bytes.Buffer
	over    context.CancelFunc
}

// startBoot starts banger boot, for five minutes at most.
func startBoot(t *testing.T, cmd *exec.Cmd) *booted {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	m := &booted{t: t, over: cancel, cmd: exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)}
	m.cmd.Dir, m.cmd.Env, m.cmd.SysProcAttr, m.cmd.Stderr = cmd.Dir, cmd.Env, cmd.SysProcAttr, &m.stderr
	m.cmd.Cancel = func() error {
		t.Error("not ended after five minutes")
		return m.cmd.Process.Signal(os.Interrupt)
	}
	m.cmd.WaitDelay = 2 * time.Minute
	var err, err2 error
	m.keys, err = m.cmd.StdinPipe()
	m.console, err2 = m.cmd.StdoutPipe()
	if err := errors.Join(err, err2, m.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	return m
}

// await returns what the console shows up to a text, or to its end.
func (m *booted) await(text string) (shown string) {
	buffer := make([]byte, 4096)
	for {
		if before, after, found := strings.Cut(m.shown, text); found {
			m.shown = after
			return before + text
		}
		n, err := m.console.Read(buffer)
		m.shown = unixLines(m.shown + string(buffer[:n]))
		if err != nil {
			shown, m.shown = m.shown, ""
			return shown
		}
	}
}

// types types on the console.
func (m *booted) types(text string) {
	if _, err := io.WriteString(m.keys, text); err != nil {
		m.t.Error(err)
	}
}

// end waits for the end, and returns what the console shows last and the exit
// status.
func (m *booted) end() (shown string, code int) {
	rest, err := io.ReadAll(m.console)
	if err != nil {
		m.t.Error(err)
	}
	m.cmd.Wait()
	m.over()
	return unixLines(m.shown + string(rest)), exitCode(m.cmd.ProcessState.Sys().(syscall.WaitStatus))
}

// unixLines returns what a terminal has written with lines that end as files
// have them.
func unixLines(shown string) string { return strings.ReplaceAll(shown, "\r\n", "\n") }
