// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// Ports are found by their names, once there are all three.
func TestFindPorts(t *testing.T) {
	class, dev := t.TempDir(), t.TempDir()
	add := func(device, name string) {
		if err := place(filepath.Join(class, device, "name"), name+"\n"); err != nil {
			t.Error(err)
		}
		if err := place(filepath.Join(dev, device), ""); err != nil {
			t.Error(err)
		}
	}
	add("vport1p1", guest.StdoutPort)
	add("vport1p2", "another")
	add("vport1p3", guest.StdinPort)
	if _, ok := findPorts(class, dev, 20*time.Millisecond); ok {
		t.Error("found two of three")
	}
	if _, ok := findPorts(filepath.Join(class, "none"), dev, time.Hour); ok {
		t.Error("found some without a driver")
	}
	go add("vport1p4", guest.StderrPort)
	paths, ok := findPorts(class, dev, time.Minute)
	if want := [3]string{dev + "/vport1p3", dev + "/vport1p1", dev + "/vport1p4"}; !ok || paths != want {
		t.Errorf("%q, %v", paths, ok)
	}
}

// What the host sends reaches the command, with its end; all that is written
// reaches the host before the machine goes on to end.
func TestPorts(t *testing.T) {
	dir := t.TempDir()
	var paths [3]string
	var host [3]*os.File
	for i, name := range []string{"in", "out", "err"} {
		paths[i] = filepath.Join(dir, name)
		if err := unix.Mkfifo(paths[i], 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(paths[i], os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		host[i] = f
	}
	p, s, err := openPorts(paths)
	if err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("0123456789"), 100_000)
	go func() {
		host[0].Write(sent)
		host[0].Close()
	}()
	go func() { // the command
		io.Copy(s.files[1], s.files[0])
		s.files[2].WriteString("done")
		s.close()
	}()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(host[1], got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("other bytes, or %v", err)
	}
	p.drain()
	if n, err := io.ReadFull(host[2], got[:4]); n != 4 || string(got[:4]) != "done" {
		t.Errorf("%q, %v", got[:n], err)
	}
}
