// SPDX-License-Identifier: Apache-2.0

package build

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"banger/lib/stage"
)

// maxLog is how many bytes of a console are kept, the last ones.
const maxLog = 1 << 20

// A log remembers the end of what a machine has printed.
type log struct {
	mu   sync.Mutex
	text []byte
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if over := len(l.text) - maxLog; over > maxLog {
		l.text = append(l.text[:0], l.text[over:]...)
	}
	return len(p), nil
}

// empty reports whether nothing was printed.
func (l *log) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.text) == 0
}

// keep writes the log to a file, in place of that of an earlier build.
func (l *log) keep(path string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	st, err := stage.NewFile(path, stage.Options{Replaces: func(string) bool { return true }})
	if err != nil {
		return err
	}
	defer st.Discard()
	if err := os.WriteFile(st.Path, l.text[max(0, len(l.text)-maxLog):], 0o600); err != nil {
		return err
	}
	return st.Commit()
}

// An oldLog is the log that an earlier build of the same name has left.
type oldLog struct {
	path string
	info fs.FileInfo // nil for none
}

func findOldLog(path string) oldLog {
	info, err := os.Lstat(path)
	if err != nil {
		info = nil
	}
	return oldLog{path, info}
}

// remove removes the log, unless another build has put its own there meanwhile.
func (l oldLog) remove() {
	now, err := os.Lstat(l.path)
	if err == nil && l.info != nil && os.SameFile(now, l.info) && now.ModTime().Equal(l.info.ModTime()) {
		os.Remove(l.path)
	}
}
