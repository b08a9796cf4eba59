// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"banger/lib/filter"
)

// detachedVariable is set for the process that has the machine, which detach
// starts.
const detachedVariable = "BANGER_BOOT_DETACHED"

// readyDescriptor is where that process writes the machine's name.
const readyDescriptor = 3

func isDetached() bool { return os.Getenv(detachedVariable) != "" }

// detach starts this program once more, in a session of its own, and returns
// once the machine is ready, or has ended before.
func detach(ctx context.Context, tool *filter.Tool) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), detachedVariable+"=1")
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGTERM) })()
	line, _ := bufio.NewReader(r).ReadString('\n')
	if name, ok := strings.CutSuffix(line, "\n"); ok {
		cmd.Process.Release()
		return tool.Print(name + "\n")
	}
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return filter.Exit(exit.ExitCode())
	}
	return err
}

// ready writes the machine's name to the process that waits for it, and leaves the
// streams of that process.
func ready(name string) error {
	if !isDetached() {
		return nil
	}
	w := os.NewFile(readyDescriptor, "ready")
	if _, err := fmt.Fprintln(w, name); err != nil {
		return err // the parent is gone
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	if err := unix.Dup3(int(null.Fd()), 2, 0); err != nil {
		return err
	}
	return w.Close()
}
