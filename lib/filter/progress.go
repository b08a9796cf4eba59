// SPDX-License-Identifier: Apache-2.0

package filter

// Long work draws one line on stderr, when that is a terminal and there is one
// image at hand; the line is erased before the result is printed. With several
// images it is one plain line for each finished one (see Tool.one). Everything
// else is silence.

import (
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// A Progress is the line that long work draws. It may be used by several
// goroutines.
type Progress struct {
	mu   sync.Mutex
	show func() bool
	bar  *progressbar.ProgressBar
	max  int64
}

// NewProgress returns a line that counts bytes under a title.
func (t *Tool) NewProgress(title string) *Progress {
	p := &Progress{show: func() bool { return false }}
	if terminal(t.Stderr) {
		p.show = t.alone
	}
	p.bar = progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(writerIf{t.Stderr, p.show}),
		progressbar.OptionSetDescription(title),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	return p
}

// Add says that so many bytes more are to come, and so many more have come.
func (p *Progress) Add(total, done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if total != 0 {
		p.max += total
		p.bar.ChangeMax64(p.max)
	}
	if done != 0 && p.show() {
		p.bar.Add64(done)
	}
}

// Set says how much has come in all, where how much will is not known.
func (p *Progress) Set(done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.show() {
		p.bar.Set64(done)
	}
}

// Close erases the line.
func (p *Progress) Close() {
	if p.show() {
		p.bar.Clear()
	}
}

// writerIf drops what is written while it may not show.
type writerIf struct {
	io.Writer
	show func() bool
}

func (w writerIf) Write(p []byte) (int, error) {
	if !w.show() {
		return len(p), nil
	}
	return w.Writer.Write(p)
}
