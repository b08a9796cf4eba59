// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"io"
	"os"
	"strings"
	"sync"
)

// A console takes what a machine prints, and remembers the end of it.
type console struct {
	to io.Writer

	mu    sync.Mutex
	last  []byte
	begun bool
}

// Bounds of what is remembered and shown of a console.
const (
	maxLast      = 4096 // bytes
	maxLastLines = 20
)

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.begun = c.begun || len(p) > 0
	c.last = append(c.last, p...)
	if over := len(c.last) - maxLast; over > 0 {
		c.last = append(c.last[:0], c.last[over:]...)
	}
	c.mu.Unlock()
	return c.to.Write(p)
}

// silent reports whether the machine has printed nothing.
func (c *console) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.begun
}

// lastLines returns the last lines that a machine has printed.
func (c *console) lastLines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for line := range strings.Lines(string(c.last)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-maxLastLines):]
}

// maxLog is the size in bytes at which a log is begun anew. The one before is
// kept beside it.
const maxLog = 1 << 20

// A logFile is a file that a guest can fill with what it prints, but no disk.
type logFile struct {
	path string
	f    *os.File
	size int64
}

func newLogFile(path string) (*logFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return &logFile{path: path, f: f}, err
}

func (l *logFile) Write(p []byte) (int, error) {
	if l.size > maxLog {
		if err := os.Rename(l.path, l.path+".1"); err != nil {
			return 0, err
		}
		next, err := newLogFile(l.path)
		if err != nil {
			return 0, err
		}
		l.f.Close()
		*l = *next
	}
	n, err := l.f.Write(p)
	l.size += int64(n)
	return n, err
}

func (l *logFile) Close() error { return l.f.Close() }
