// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"banger/lib/status"
)

// Sound reads the whole tree of an image and checks the filesystem's own
// metadata. An image that was never mounted is checked byte by byte, as Check
// does: what another program has changed in it, tune2fs(8) for one, is a fault.
// Where a kernel has written since, e2fsck(8) is asked. The error has status.Bad
// and names the first fault.
func (m *Image) Sound(ctx context.Context) error {
	t, err := m.ReadTree(ctx)
	switch {
	case HostError(err):
		return err
	case err != nil:
		return damaged(err.Error(), 1)
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
		err = damaged(first, count)
	}
	return err
}

// damaged is the error of a filesystem with faults, the first of which is named.
func damaged(first string, count int) error {
	if count > 1 {
		first += fmt.Sprintf(" (and %d more)", count-1)
	}
	return status.Errorf(status.Bad, "the filesystem is damaged, or not as it was made: %s", first)
}

// HostError reports whether an error is one of the host or of a context, and not
// one of an image that is damaged.
func HostError(err error) bool {
	errno := syscall.Errno(0)
	return errors.As(err, &errno) || errors.Is(err, os.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// fsck has e2fsck check the image, which it opens for reading only.
func (m *Image) fsck(ctx context.Context) error {
	path, err := find("e2fsck")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, "-fn", "/dev/fd/3")
	cmd.ExtraFiles = []*os.File{m.f}
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "E2FSCK_CONFIG=/dev/null"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := output(ctx, cmd)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 && exit.ExitCode()&fsckErrors != 0 {
		return damaged("e2fsck: "+firstFault(string(out)), 1)
	}
	if err != nil {
		return fmt.Errorf("e2fsck: %w: %s", err, firstFault(string(out)))
	}
	return nil
}

// fsckErrors is the bit of e2fsck's exit status for errors that it was told to leave.
const fsckErrors = 4

// firstFault returns the first line of e2fsck's output that is about a fault,
// and not about its version or a pass.
func firstFault(out string) string {
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "e2fsck ") && !strings.HasPrefix(line, "Pass ") {
			return line
		}
	}
	return "errors left uncorrected"
}
