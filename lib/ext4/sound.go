// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"banger/lib/status"
)

// Sound reads the tree of an image and checks the filesystem metadata. An image that
// banger-mkext4 made and that was never mounted is checked with Check, for which
// most changes by other programs, such as tune2fs(8), are damage: superblock fields
// with a fixed value must have it, and the others match the checksum. Any other
// image is checked with e2fsck(8). The error for a damaged image has the status Bad
// and describes the first problem.
func (m *Image) Sound(ctx context.Context) error {
	t, err := m.ReadTree(ctx)
	switch {
	case HostError(err):
		return err
	case err != nil:
		return m.remade(damaged(err.Error(), 1))
	case !m.pristine():
		return m.fsck(ctx)
	}
	first, count := "", 0
	err = m.Check(ctx, t, func(problem string) {
		if count++; count == 1 {
			first = problem
		}
	})
	if err == nil && count > 0 {
		err = m.remade(damaged(first, count))
	}
	return err
}

// remade adds the hint to make the image again, which banger-mkext4 -f does unless
// it was mounted.
func (m *Image) remade(err error) error {
	if !m.pristine() {
		return err
	}
	return status.Hint(err, "banger-mkext4 -f makes it again")
}

// damaged returns the error for a filesystem with count problems.
func damaged(first string, count int) error {
	if count > 1 {
		first += fmt.Sprintf(" (and %d more)", count-1)
	}
	return status.Errorf(status.Bad, "filesystem damaged or modified: %s", first)
}

// HostError reports whether err is an error of the host or of a context, and not
// of a damaged image.
func HostError(err error) bool {
	errno := syscall.Errno(0)
	return errors.As(err, &errno) || errors.Is(err, os.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// fsck checks the image with e2fsck, read-only.
func (m *Image) fsck(ctx context.Context) error {
	out, err := e2fsprogs(ctx, m.f, "e2fsck", "-fn")
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode()&fsckErrors != 0 {
		return damaged("e2fsck: "+firstProblem(string(out)), 1)
	}
	if exit != nil {
		return fmt.Errorf("e2fsck: %w: %s", err, firstProblem(string(out)))
	}
	return err
}

// e2fsprogs runs a program on an image and returns its output. The image is its last
// argument, by the number of a file descriptor: see imageFile.
func e2fsprogs(ctx context.Context, image *os.File, program string, args ...string) ([]byte, error) {
	path, err := findProgram(program)
	if err != nil {
		return nil, err
	}
	// Pdeathsig refers to the thread that forks, which must not end early.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, path, append(args, "/dev/fd/3")...)
	cmd.ExtraFiles = []*os.File{image}
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "E2FSCK_CONFIG=/dev/null", "MKE2FS_CONFIG=/dev/null"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := output(ctx, cmd)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return out, err
}

// fsckErrors is the bit in e2fsck's exit status for uncorrected errors.
const fsckErrors = 4

// firstProblem returns the first line of e2fsck's output other than its version
// and the names of the passes.
func firstProblem(out string) string {
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "e2fsck ") && !strings.HasPrefix(line, "Pass ") {
			return line
		}
	}
	return "errors left uncorrected"
}
