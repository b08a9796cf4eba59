// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An outcome is the result of a command.
type outcome struct {
	stdout, stderr string
	code           int // exit status as a shell reports it, 128+n for signal n
}

// finish runs a command to its end; see begin.
func finish(t testing.TB, cmd *exec.Cmd) outcome {
	t.Helper()
	return begin(t, cmd)()
}

// begin starts a command in a process group of its own and returns a function
// that waits for its end. It is killed after a minute. Stdout and Stderr are
// kept if set.
func begin(t testing.TB, cmd *exec.Cmd) (end func() outcome) {
	t.Helper()
	var stdout, stderr strings.Builder
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &stderr
	}
	group(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	timer := time.AfterFunc(time.Minute, kill)
	ended := false
	t.Cleanup(func() {
		if !ended {
			kill()
			cmd.Wait()
		}
	})
	return func() outcome {
		t.Helper()
		cmd.Wait()
		ended = true
		if !timer.Stop() {
			t.Errorf("%v: not done after a minute", cmd.Args)
		}
		return outcome{stdout.String(), stderr.String(), exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus))}
	}
}

// group gives a command a process group of its own.
func group(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}

// exitCode returns the exit status as a shell reports it.
func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// failed fails the test unless the command ended with one of the codes,
// printed nothing but the empty lines of failed images, and wrote one message
// that begins with the tool and contains all the words.
func (o outcome) failed(t testing.TB, codes []int, tool string, words ...string) {
	t.Helper()
	if !slices.Contains(codes, o.code) {
		t.Errorf("exit status %d, want %v", o.code, codes)
	}
	if strings.Trim(o.stdout, "\n") != "" {
		t.Errorf("failed but printed %q", o.stdout)
	}
	oneMessage(t, o.stderr, tool, words...)
}

// oneMessage fails the test unless stderr is one line that begins with the
// tool and contains all the words, ignoring case, and at most one hint.
func oneMessage(t testing.TB, stderr, tool string, words ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if len(lines) > 2 || len(lines) == 2 && !strings.HasPrefix(lines[1], "hint: ") {
		t.Errorf("want one message and perhaps a hint, got\n%s", stderr)
	}
	if !strings.HasPrefix(lines[0], tool) {
		t.Errorf("not a message of %q: %q", tool, stderr)
	}
	for _, w := range words {
		if !strings.Contains(strings.ToLower(lines[0]), strings.ToLower(w)) {
			t.Errorf("the message lacks %q: %q", w, stderr)
		}
	}
}

// hinted reports whether stderr has a hint.
func hinted(stderr string) bool { return strings.Contains(stderr, "\nhint: ") }
