// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// Reasons of a shutdown (qapi/run-state.json, ShutdownCause). That of a kernel
// that has panicked is guestPanic only if it has a driver for pvpanic.
const (
	guestPanic = "guest-panic"
	guestReset = "guest-reset"
	hostSignal = "host-signal"
)

// attempts boots the image, and once more, emulated, if KVM has stopped the
// machine before it did anything. It returns the exit status of the machine.
func (b *Boot) attempts(ctx context.Context, p processor) (code int, err error) {
	for {
		b.Begun(b.record, p.emulated())
		a, err := b.attempt(ctx, p)
		if err != nil {
			return 0, err
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if !a.stopped || a.failed != nil {
			return a.verdict()
		}
		if err := b.again(ctx, a); err != nil {
			return 0, err
		}
		p = emulate(b.CPUs)
	}
}

// again prepares for another attempt after KVM has stopped the machine. On a
// disk that is kept, or after a sign of life, there is none: the guest may have
// done something.
func (b *Boot) again(ctx context.Context, a *attempt) error {
	if b.Accel != "" || b.Keep != "" || !a.console.silent() || a.said() != NewReport() {
		return status.Hint(errors.New("KVM stopped the machine"), "--accel tcg emulates the processor")
	}
	b.Note("KVM stopped the machine before it printed anything: emulating the processor, which is slow", "--accel tcg skips KVM")
	return b.copied(ctx)
}

// verdict returns the exit status of the machine, or why there is none.
func (a *attempt) verdict() (code int, err error) {
	b, said := a.b, a.said()
	switch {
	case errors.Is(a.failed, unix.EPIPE):
		return 0, unix.EPIPE
	case a.failed != nil:
		return 0, status.With(status.Create, fmt.Errorf("standard output: %w", cause(a.failed)))
	case a.refused != "":
		return 0, status.Hint(status.Errorf(status.Create, "%s: the port is in use or not permitted", a.refused), "--publish 0:PORT uses a free port")
	case a.full:
		return 0, a.noSpace()
	case a.lost != "" && b.Build != nil: // the script may not have seen it
		return 0, fmt.Errorf("%s: QEMU could not write to the disk: %s", imagesOf(b.disk), a.lost)
	case said.Exit >= 0:
		if said.Exit >= 125 && said.Exit <= 127 { // the guest may have said why
			a.showConsole()
		}
		return said.Exit, nil
	}
	a.showConsole()
	state := a.qemu.state
	switch {
	case a.reason == guestPanic:
		return 0, errors.New("the guest's kernel panicked")
	case state == nil || !state.Success():
		return 0, fmt.Errorf("QEMU failed: %v", state)
	case a.reason == hostSignal:
		return 0, errors.New("QEMU was ended by a signal")
	case b.Build != nil:
		how := "stopped"
		if a.reason == guestReset {
			how = "restarted"
		}
		return 0, status.Hint(fmt.Errorf("the machine %s before the script ended", how), "a script must not end its machine; or it needs more memory, such as --memory 2G")
	case len(b.Guest.Args) > 0:
		return 0, status.Hint(errors.New("the machine stopped before the command ended"), "use --memory 2G, or -v and run the command without loglevel=1")
	case !said.Ready && !b.foreign:
		return 0, status.Hint(errors.New("the machine stopped before it ran anything"), "banger image lint %s", b.Image.Name)
	}
	return 0, nil
}

// noSpace is the error of a disk of the host that the guest has filled.
func (a *attempt) noSpace() error {
	if a.b.Keep != "" {
		return status.Errorf(status.Create, "%s: no space left", a.b.Keep)
	}
	if a.b.Build != nil {
		return status.Errorf(status.Create, "%s: no space left", imagesOf(a.b.disk))
	}
	return status.Hint(status.Errorf(status.Create, "%s: no space left", a.b.Temp), copyHint)
}

// imagesOf returns the directory of the images. disk is that of a build, in a staging
// directory there.
func imagesOf(disk string) string { return filepath.Dir(filepath.Dir(disk)) }

// showConsole shows the last lines of a console that nobody has seen.
func (a *attempt) showConsole() {
	if a.log == nil {
		return
	}
	for _, line := range a.console.lastLines() {
		a.b.Said("| " + line)
	}
}
