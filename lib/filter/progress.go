// SPDX-License-Identifier: Apache-2.0

package filter

// Long work draws one line on stderr if that is a terminal and there is one
// image. The line is erased before anything else is printed. With several images
// each finished one gets a plain line instead (see Tool.finished).

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"
	"golang.org/x/term"
)

// redrawInterval is the least time between two drawings of a line.
const redrawInterval = 100 * time.Millisecond

// A Progress is the line that long work draws. It may be used by several
// goroutines.
type Progress struct {
	tool     *Tool
	title    string
	terminal bool // whether stderr is one

	mu          sync.Mutex
	total, done int64 // bytes
	begun       time.Time
	drawn       time.Time // when the line was last drawn
	shown       int       // columns of the line on the terminal, 0 for none
	closed      bool
}

// NewProgress returns a line that counts the bytes of what is done, as in
// "fetching", to an image. The name also stands for the image in the line that
// is printed when it is finished.
func (t *Tool) NewProgress(doing, image string) *Progress {
	t.image = image
	p := &Progress{tool: t, title: doing + " " + Printable(image), terminal: isTerminal(t.Stderr), begun: time.Now()}
	t.progress.Store(p)
	return p
}

// Add adds to the bytes expected in all, and to the bytes done.
func (p *Progress) Add(total, done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += total
	p.done += done
	p.draw()
}

// Set sets the bytes done, where it is not known how many are expected.
func (p *Progress) Set(done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = done
	p.draw()
}

// Close erases the line. Nothing is drawn after it.
func (p *Progress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.closed = true
}

// draw draws the line, unless it was drawn a moment ago.
func (p *Progress) draw() {
	if !p.terminal || p.closed || !p.tool.onlyOne() {
		return
	}
	now := time.Now()
	if now.Sub(p.drawn) < redrawInterval {
		return
	}
	line := progressLine(p.title, p.total, p.done, now.Sub(p.begun), columns(p.tool.Stderr))
	shown := width(line)
	io.WriteString(p.tool.Stderr, "\r"+line+strings.Repeat(" ", max(p.shown-shown, 0)))
	p.drawn, p.shown = now, shown
}

// erase removes the line from the terminal until it is drawn again.
func (p *Progress) erase() {
	if p.shown > 0 {
		io.WriteString(p.tool.Stderr, "\r"+strings.Repeat(" ", p.shown)+"\r")
		p.shown = 0
	}
}

// say writes to stderr in the place of the line of progress.
func (t *Tool) say(text string) {
	if p := t.progress.Load(); p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.erase()
	}
	io.WriteString(t.Stderr, text)
}

// progressLine returns the text of a line that fits into a number of columns.
// Where it does not fit, the last figures are left out, then the title is cut.
func progressLine(title string, total, done int64, elapsed time.Duration, columns int) string {
	const shortest = 20 // columns of a title before figures are left out
	all := figures(total, done, elapsed)
	stats := strings.Join(all, "")
	for len(all) > 1 && columns-width(stats) < min(width(title), shortest) {
		all = all[:len(all)-1]
		stats = strings.Join(all, "")
	}
	return cut(cut(title, columns-width(stats))+stats, columns)
}

// figures returns how far the work is, the most important first.
func figures(total, done int64, elapsed time.Duration) (all []string) {
	if total > 0 {
		all = append(all, fmt.Sprintf("  %d%%", min(100*done/total, 100)), fmt.Sprintf("  %s of %s", size(done), size(total)))
	} else {
		all = append(all, "  "+size(done))
	}
	if elapsed < time.Second || done <= 0 {
		return all
	}
	rate := float64(done) / elapsed.Seconds()
	all = append(all, fmt.Sprintf("  %s/s", size(int64(rate))))
	if left := float64(total-done) / rate; left >= 1 {
		all = append(all, fmt.Sprintf("  %v left", time.Duration(left)*time.Second))
	}
	return all
}

func size(bytes int64) string { return units.HumanSizeWithPrecision(float64(max(bytes, 0)), 3) }

// cut shortens a text to a number of columns.
func cut(text string, columns int) string {
	if width(text) <= columns {
		return text
	}
	const dots = "..."
	end := 0
	for i := range text {
		if width(text[:i]) <= columns-len(dots) {
			end = i
		}
	}
	return text[:end] + dots[:max(min(columns, len(dots)), 0)]
}

// width returns at least as many columns as a terminal needs for a text.
func width(text string) (columns int) {
	for _, r := range text {
		columns++
		if r >= 0x80 {
			columns++ // it may be wide
		}
	}
	return columns
}

// columns returns how many columns a line on a terminal may have without
// wrapping.
func columns(stream any) int {
	if f, ok := stream.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width - 1
		}
	}
	return 79
}
