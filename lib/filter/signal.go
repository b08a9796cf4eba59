// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// caught is the cause of a context that a signal has ended.
type caught struct{ syscall.Signal }

func (c caught) Error() string { return c.String() }

// signals returns a context that the first SIGINT, SIGTERM or SIGHUP ends, so
// that what is half made is removed on the way out; a second one kills.
//
// SIGPIPE is ignored: Go would die of it without running a defer. A write to a
// closed pipe then fails with EPIPE, which is reported where it happens.
func signals() (ctx context.Context, stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(context.Background())
	arrived := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as nohup has it
			signal.Notify(arrived, s)
		}
	}
	go func() {
		select {
		case s := <-arrived:
			signal.Stop(arrived)
			cancel(caught{s.(syscall.Signal)})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(arrived); cancel(nil) }
}
