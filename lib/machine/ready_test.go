// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"errors"
	"io"
	"os"
	"runtime"
	"testing"
	"time"
)

// The end of a connection says that the machine is gone: there is none before,
// even if the collector finds a connection that nothing refers to.
func TestReadyConnection(t *testing.T) {
	dir := t.TempDir()
	r, err := listenReady(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.listener.Close()
	conn, err := dialIn(dir, readyFile)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r.set()
	if _, err := io.ReadFull(conn, make([]byte, len(readyText))); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		runtime.GC()
		conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the machine runs, and the connection has ended: %v", err)
		}
	}
}
