// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"sync"
)

const (
	maxConns     = 16 // in all
	maxHostConns = 8
)

// A Limiter limits the connections of a run: 8 to a host and 16 in all. It is
// shared by all blobs that are fetched at the same time.
type Limiter struct {
	all   chan struct{}
	mu    sync.Mutex
	hosts map[string]*hostLimit
}

// A hostLimit limits the connections to a host.
type hostLimit struct {
	conns   chan struct{}
	ended   int           // how many workers have ended that fetched large blobs
	changed chan struct{} // closed, and replaced, when one ends
}

// NewLimiter returns a Limiter without connections.
func NewLimiter() *Limiter {
	return &Limiter{all: make(chan struct{}, maxConns), hosts: make(map[string]*hostLimit)}
}

// A slot is a connection to a host that may be opened.
type slot struct {
	name    string
	release func()
}

// free gives up a slot, which may be nil. It is called once.
func (s *slot) free() {
	if s != nil {
		s.release()
	}
}

// acquire waits until a connection to a host may be opened. The caller must call
// free when it is closed.
func (l *Limiter) acquire(ctx context.Context, name string) (*slot, error) {
	host := l.host(name)
	if err := enter(ctx, host.conns); err != nil {
		return nil, err
	}
	if err := enter(ctx, l.all); err != nil {
		<-host.conns
		return nil, err
	}
	return l.slot(host, name), nil
}

// tryAcquire is acquire, but returns nil instead of waiting.
func (l *Limiter) tryAcquire(name string) *slot {
	host := l.host(name)
	select {
	case host.conns <- struct{}{}:
	default:
		return nil
	}
	select {
	case l.all <- struct{}{}:
		return l.slot(host, name)
	default:
		<-host.conns
		return nil
	}
}

func (l *Limiter) slot(host *hostLimit, name string) *slot {
	return &slot{name, func() { <-l.all; <-host.conns }}
}

// end counts a worker that has ended, and has freed its slot.
func (l *Limiter) end(name string) {
	host := l.host(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	host.ended++
	close(host.changed)
	host.changed = make(chan struct{})
}

// ended returns how many workers have ended that fetched from a host, and a channel
// that is closed when the number changes.
func (l *Limiter) ended(name string) (int, <-chan struct{}) {
	host := l.host(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	return host.ended, host.changed
}

// awaitEnd waits until more workers than seen have ended.
func (l *Limiter) awaitEnd(ctx context.Context, name string, seen int) (int, error) {
	for {
		n, changed := l.ended(name)
		if n != seen {
			return n, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return n, ctx.Err()
		}
	}
}

func (l *Limiter) host(name string) *hostLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts[name] == nil {
		l.hosts[name] = &hostLimit{conns: make(chan struct{}, maxHostConns), changed: make(chan struct{})}
	}
	return l.hosts[name]
}

func enter(ctx context.Context, limit chan struct{}) error {
	select {
	case limit <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
