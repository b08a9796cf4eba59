// SPDX-License-Identifier: Apache-2.0

package transfer

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"banger/lib/retry"
)

// The environment of a process that fetches and kills itself: the directory, and
// after how many bytes.
const (
	killDir = "TRANSFER_TEST_KILL_DIR"
	killAt  = "TRANSFER_TEST_KILL_AT"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		if err := fetchAndDie(dir, os.Getenv(killAt)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fetchAndDie fetches the blob into a directory. The file "received" counts the
// bytes that were read, even if the process is killed.
func fetchAndDie(dir, at string) error {
	limit, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return err
	}
	shared, err := counter(dir)
	if err != nil {
		return err
	}
	h := &fake{content: content}
	h.answer = func(_ context.Context, _, from, to int64) (*Answer, error) {
		a := h.part(from, to)
		a.Body = io.NopCloser(&deadly{a.Body, shared, limit})
		return a, nil
	}
	p, err := TryLock(filepath.Join(dir, "sha256-x.part"))
	if err != nil {
		return err
	}
	p.geometry = small
	return p.Fetch(context.Background(), Blob{
		Digest: digest, Size: blobSize, Hosts: []Host{h}, Share: 1, Limiter: NewLimiter(), Retry: retry.Policy{},
	})
}

// A deadly reader kills its process once all have read limit bytes. The others go on
// until the signal arrives.
type deadly struct {
	io.Reader
	n     *atomic.Int64
	limit int64
}

func (d *deadly) Read(p []byte) (int, error) {
	n, err := d.Reader.Read(p[:min(len(p), 300)])
	if total := d.n.Add(int64(n)); total >= d.limit && total-int64(n) < d.limit {
		go syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	return n, err
}

// counter maps a file that holds a number.
func counter(dir string) (*atomic.Int64, error) {
	f, err := os.OpenFile(filepath.Join(dir, "received"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(8); err != nil {
		return nil, err
	}
	raw, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*atomic.Int64)(unsafe.Pointer(&raw[0])), nil
}

// However a fetch is killed, the next one completes the blob, and at most one unit a
// connection is fetched twice.
func TestKill(t *testing.T) {
	points := 200
	if testing.Short() {
		points = 20
	}
	r := rand.New(rand.NewPCG(5, 5))
	offsets := make(chan int64)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for at := range offsets {
				kill(t, at)
			}
		})
	}
	for range points {
		offsets <- 1 + r.Int64N(blobSize)
	}
	close(offsets)
	group.Wait()
}

func kill(t *testing.T, at int64) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), killDir+"="+dir, killAt+"="+strconv.FormatInt(at, 10))
	child.Stderr = os.Stderr
	err := child.Run()
	if state := child.ProcessState; err != nil && state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Error(err)
	}
	received, err := counter(dir)
	if err != nil {
		t.Error(err)
		return
	}
	h := &fake{content: content}
	again := &run{t: t, path: filepath.Join(dir, "sha256-x.part")}
	if err := again.fetch(t.Context(), again.blob(h)); err != nil {
		t.Error(err)
	}
	if twice := received.Load() + h.sent.Load() - blobSize; received.Load() < at || twice > maxWorkers*small.unit {
		t.Errorf("killed at %d of %d bytes: %d fetched twice", at, blobSize, twice)
	}
}
