// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"testing"
)

// stdout makes a tool fail to print its result.
func stdout(t *testing.T, j job, whole result) {
	for name, redirect := range map[string]func(t *testing.T, cmd *exec.Cmd) func(o outcome, made bool){
		"full": full, "gone": closedPipe, "closed": closed,
	} {
		t.Run(name, func(t *testing.T) {
			place := j.place(t)
			cmd := j.command(place)
			check := redirect(t, cmd)
			o := finish(t, cmd)
			made := whole.noneOrWhole(t, j, place)
			nothingLeft(t, place)
			check(o, made)
			whole.again(t, j, place, made)
		})
	}
}

// full makes the tool print to a device without space.
func full(t *testing.T, cmd *exec.Cmd) func(o outcome, made bool) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	cmd.Stdout = f
	return func(o outcome, _ bool) {
		o.failed(t, []int{73}, "banger-", "standard output", "no space left on device")
	}
}

// closedPipe makes the tool print to a pipe without a reader.
func closedPipe(t *testing.T, cmd *exec.Cmd) func(o outcome, made bool) {
	cmd.Stdout = brokenPipe(t)
	return func(o outcome, _ bool) {
		if o.code != 141 || o.stderr != "" {
			t.Errorf("exit status %d, want 141 and silence\n%s", o.code, o.stderr)
		}
	}
}

// closed starts the tool without a stdout. The first file opened would get its
// descriptor, but Go's runtime opens /dev/null there, so the tool cannot
// notice and may succeed.
func closed(t *testing.T, cmd *exec.Cmd) func(o outcome, made bool) {
	cmd.Args = append([]string{"sh", "-c", `exec "$0" "$@" >&-`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	return func(o outcome, made bool) {
		if o.code != 0 || !made {
			o.failed(t, []int{1, 73}, "banger-", "standard output")
		}
	}
}

// brokenPipe returns the write end of a pipe without a reader.
func brokenPipe(t *testing.T) *os.File {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	t.Cleanup(func() { writer.Close() })
	return writer
}

// TestVerboseClosedPipe runs banger-flatten -v with a closed stderr pipe, as
// in banger-flatten -v 2>&1 | head.
func TestVerboseClosedPipe(t *testing.T) {
	j := jobNamed(t, "flatten")
	whole, place := j.undisturbed(t), j.place(t)
	cmd := j.command(place)
	cmd.Args = append(cmd.Args, "-v")
	cmd.Stderr = brokenPipe(t)
	o := finish(t, cmd)
	made := whole.noneOrWhole(t, j, place)
	if o.code != 141 && !(o.code == 0 && made) {
		t.Errorf("exit status %d, whole: %v", o.code, made)
	}
	nothingLeft(t, place)
	whole.again(t, j, place, made)
}
