// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// caught is the cause of a context that a signal canceled.
type caught struct{ syscall.Signal }

func (c caught) Error() string { return c.String() }

// signals returns a context that the first SIGINT, SIGTERM or SIGHUP cancels, so
// that unfinished output is removed; a second one kills the process.
//
// SIGPIPE is ignored, since it would kill the process before deferred functions
// run. A write to a closed pipe fails with EPIPE instead.
func signals() (ctx context.Context, stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(context.Background())
	arrived := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as under nohup
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

// Second returns what is closed by the second signal that asks this process to
// end. The first one ends the context.
func Second() <-chan struct{} {
	force := make(chan struct{})
	arrived := make(chan os.Signal, 2)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(arrived, s)
		}
	}
	go func() {
		<-arrived
		<-arrived
		close(force)
	}()
	return force
}
