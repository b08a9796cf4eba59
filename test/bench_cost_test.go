// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A cost is what a process and its children took.
type cost [3]float64

const (
	wall = iota // seconds
	cpu         // seconds, of the user's and the system's
	peak        // the largest resident set of any of them, in MiB
)

// measure runs a program under time(1): a process that Go started itself would
// be charged with this one's memory, as Linux keeps the peak across exec.
func (u user) measure(b testing.TB, name string, args ...string) (c cost) {
	b.Helper()
	report := filepath.Join(u.home, "time")
	cmd := u.command(name, args...)
	cmd.Args = append([]string{"time", "-o", report, "-f", timeFormat, cmd.Path}, args...)
	cmd.Path = which("time")
	unix.Sync() // What the run before has written is not for this one to write.
	start := time.Now()
	output(b, cmd)
	took := time.Since(start).Seconds()
	c = readTime(b, report)
	c[wall] = took // the same in finer steps
	return c
}

// timeFormat is what readTime reads.
const timeFormat = "%e %U %S %M"

// readTime is the cost that time(1) has written to a file.
func readTime(b testing.TB, report string) (c cost) {
	b.Helper()
	text, err := os.ReadFile(report)
	if err != nil {
		b.Fatal(err)
	}
	var user, system, kib float64
	if _, err := fmt.Sscan(string(text), &c[wall], &user, &system, &kib); err != nil {
		b.Fatalf("time: %q: %v", text, err)
	}
	c[cpu], c[peak] = user+system, kib/1024
	return c
}

// An entrant is a program in a contest.
type entrant struct {
	name    string
	command func(dir string) []string // makes something in dir, which is new
	once    bool                      // too slow for a second run
	costs   []cost                    // of each run
}

// run is the entrant's next run, unless it needs no more.
func (e *entrant) run(b *testing.B, u user) {
	b.Helper()
	if e.once && len(e.costs) > 0 {
		return
	}
	dir, err := os.MkdirTemp(u.home, "made-")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	command := e.command(dir)
	e.costs = append(e.costs, u.measure(b, command[0], command[1:]...))
}

// median is that of one figure of the entrant's runs.
func (e *entrant) median(figure int) float64 {
	var values []float64
	for _, c := range e.costs {
		values = append(values, c[figure])
	}
	return median(values)
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
