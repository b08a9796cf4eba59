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

// A cost is what a process and its children consumed.
type cost [3]float64

const (
	wall = iota // seconds
	cpu         // seconds, user and system
	peak        // largest resident set of any process, in MiB
)

// measure runs a program under time(1). Linux keeps the peak resident set
// across exec, so a child of the test would be charged with the test's memory.
func (u user) measure(b testing.TB, name string, args ...string) (c cost) {
	b.Helper()
	report := filepath.Join(u.home, "time")
	cmd := u.command(name, args...)
	cmd.Args = append([]string{"time", "-o", report, "-f", timeFormat, cmd.Path}, args...)
	cmd.Path = which("time")
	unix.Sync() // do not charge this run with the last one's writes
	start := time.Now()
	output(b, cmd)
	took := time.Since(start).Seconds()
	c = readTime(b, report)
	c[wall] = took // more precise than time(1)
	return c
}

// timeFormat is the format that readTime parses.
const timeFormat = "%e %U %S %M"

// readTime parses the report of time(1).
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
	command func(dir string) []string // writes to dir, which is new
	once    bool                      // too slow for a second run
	costs   []cost                    // of each run
}

// run runs the entrant and appends the cost.
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

// median returns the median of one figure of the entrant's runs.
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
