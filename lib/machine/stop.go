// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// Stop ends a machine in order, and returns when it has ended. Its banger-boot asks
// the guest, and ends QEMU if that takes too long.
func (d Dirs) Stop(ctx context.Context, name string) error {
	process, err := d.process(name)
	if err != nil {
		return err
	}
	defer unix.Close(process)
	if err := unix.PidfdSendSignal(process, unix.SIGTERM, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	const late = 2 * emulatedPatience
	for end := time.Now().Add(late); time.Now().Before(end); {
		fds := []unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 100)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		case n > 0:
			return nil
		}
	}
	return status.Errorf(status.Temporary, "%s: still running after %v", name, late)
}

// process returns a descriptor of the process that has a machine.
func (d Dirs) process(name string) (int, error) {
	all, err := d.lockAll()
	if err != nil {
		return -1, err
	}
	defer all.Close()
	for _, running := range d.sweep() {
		if running != name {
			continue
		}
		r, err := d.read(name)
		if err != nil {
			return -1, status.With(status.Temporary, err)
		}
		process, err := unix.PidfdOpen(r.PID, 0)
		if err == nil && !d.stillLocked(name) { // the number may be another's by now
			unix.Close(process)
			err = unix.ESRCH
		}
		if errors.Is(err, unix.ESRCH) {
			break // it has just ended
		}
		return process, err
	}
	return -1, status.Hint(status.Errorf(status.NoInput, "%s: no such machine", name), "banger machine list")
}

func (d Dirs) stillLocked(name string) bool {
	f, err := flock(string(d) + "/" + name)
	if err == nil {
		f.Close()
	}
	return errors.Is(err, errLocked)
}
