// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/input"
	"banger/lib/stage"
	"banger/lib/status"
)

// Files of a machine's directory.
const (
	recordFile  = "machine.json" // a Record
	monitorFile = "qmp"          // the socket of QEMU's monitor
	statusFile  = "status"       // a FIFO, to which QEMU writes the guest's status lines
	consoleFile = "console.log"
)

// A Record describes a running machine.
type Record struct {
	Name   string    `json:"name"`
	Image  string    `json:"image"`
	PID    int       `json:"pid"` // of banger-boot, which SIGTERM asks to end the machine
	Since  time.Time `json:"since"`
	Status string    `json:"status,omitempty"` // the last STATUS line
	Ready  bool      `json:"ready"`
	SSH    uint16    `json:"ssh,omitempty"` // the port of 127.0.0.1 that leads to the guest's SSH server
	Ports  []Forward `json:"ports,omitempty"`
	Disk   string    `json:"disk,omitempty"` // that is kept
}

// Dirs is the directory of the machines that run, each with a directory that
// has its name. A machine's directory is locked by flock(2) as long as its
// banger-boot runs.
type Dirs string

// lockAll keeps others from making, locking and removing directories, until the
// file is closed.
func (d Dirs) lockAll() (*os.File, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, status.With(status.Create, err)
	}
	f, err := os.OpenFile(filepath.Join(string(d), ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, status.With(status.Create, err)
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

// A Dir is the directory of one machine.
type Dir struct {
	Name string
	Path string
	lock *os.File
}

// Claim makes the directory of a machine. Without a name, the machine gets one
// made of its image's: NAME, NAME-2 and so on.
func (d Dirs) Claim(name, image string) (*Dir, error) {
	all, err := d.lockAll()
	if err != nil {
		return nil, err
	}
	defer all.Close()
	d.sweep()
	if name != "" {
		dir, err := d.claim(name)
		if errors.Is(err, fs.ErrExist) {
			return nil, status.Hint(status.Errorf(status.Create, "%s: a machine of this name is running", name), "banger machine stop %s", name)
		}
		return dir, err
	}
	for n := 1; ; n++ {
		name := image
		if n > 1 {
			name = fmt.Sprintf("%s-%d", image, n)
		}
		if dir, err := d.claim(name); !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
	}
}

func (d Dirs) claim(name string) (*Dir, error) {
	path := filepath.Join(string(d), name)
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, status.With(status.Create, err)
	}
	f, err := flock(path)
	if err != nil {
		return nil, err
	}
	return &Dir{name, path, f}, nil
}

// errLocked is the error for the directory of a running machine.
var errLocked = errors.New("locked")

// flock locks a directory; errLocked if another process has.
func flock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errLocked
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweep removes what killed processes have left, and returns the names of the
// machines that run.
func (d Dirs) sweep() (running []string) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(string(d), e.Name())
		f, err := flock(path)
		if errors.Is(err, errLocked) {
			running = append(running, e.Name())
		}
		if err == nil {
			os.RemoveAll(path)
			f.Close()
		}
	}
	return running
}

// Remove removes the directory of a machine that has ended.
func (d *Dir) Remove() {
	os.RemoveAll(d.Path)
	d.lock.Close()
}

// file returns the path of a file in the directory.
func (d *Dir) file(name string) string { return filepath.Join(d.Path, name) }

// write writes the record, in one step.
func (d *Dir) write(r Record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return writeWhole(d.file(recordFile), append(raw, '\n'))
}

// maxRecord is the size of the largest record, in bytes.
const maxRecord = 1 << 20

// read reads the record of a machine.
func (d Dirs) read(name string) (r Record, err error) {
	f, err := input.OpenNoFollow(filepath.Join(string(d), name, recordFile))
	if err != nil {
		return r, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	return r, err
}

// List returns the machines that run, by name. Leftovers of others are removed.
func (d Dirs) List() (all []Record, err error) {
	if _, err := os.Stat(string(d)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	lock, err := d.lockAll()
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	for _, name := range d.sweep() {
		r, err := d.read(name)
		if err != nil { // it is about to start, or to end
			r = Record{Name: name}
		}
		all = append(all, r)
	}
	return all, nil
}

// scratch makes a directory for copies, which a later run removes if this one
// is killed.
func scratch(in string) (*stage.Stage, error) {
	st, err := stage.NewDir(filepath.Join(in, "banger-boot-"+rand.Text()[:8]), stage.Options{Replaces: func(string) bool { return true }})
	if errors.Is(err, unix.ENOSPC) {
		return nil, status.Hint(err, "set TMPDIR to a directory with more space")
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		err = status.Errorf(status.Create, "%s: %w", in, errno)
	}
	if err != nil {
		return nil, status.Hint(err, "set TMPDIR to a writable directory")
	}
	return st, nil
}
