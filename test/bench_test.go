// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkPipeline runs flatten and mkext4 on the suite's image beside what
// they are measured against: umoci unpack, and plain mkfs.ext4 -d of the tree
// that umoci made. They are whole processes and take turns, so that a machine
// whose speed drifts wrongs nobody. It prints a table; nothing is too slow.
func BenchmarkPipeline(b *testing.B) {
	need(b, "time", "umoci", "mkfs.ext4")
	i, u := debian(b), newUser(b, uint32(os.Getuid()))
	u.round(b, i) // Not counted: it reads from disk what the others find in memory.
	flatten := match{ours: "banger-flatten", theirs: "umoci unpack"}
	mkext4 := match{ours: "banger-mkext4", theirs: "mkfs.ext4 -d"}
	for b.Loop() {
		costs := u.round(b, i)
		flatten.add(costs[0], costs[1])
		mkext4.add(costs[2], costs[3])
	}
	b.ReportMetric(0, "ns/op") // of all four: it says nothing
	for _, m := range []match{flatten, mkext4} {
		b.ReportMetric(m.speed(), m.ours+"-x")
		b.ReportMetric(median(m.costs[0], peak), m.ours+"-MiB")
	}
	b.Log(table(flatten, mkext4))
}

// round runs each program once, in a directory of its own. The trees stay until
// all is done: ext4 without a journal shuns inodes freed within the last half
// minute and looks at every one of them, so that whoever makes files after a
// large removal takes ten times as long.
func (u user) round(b *testing.B, i image) (costs [4]cost) {
	b.Helper()
	dir, err := os.MkdirTemp(u.home, "round-")
	if err != nil {
		b.Fatal(err)
	}
	bundle, umoci := filepath.Join(dir, "x.bundle"), filepath.Join(dir, "umoci")
	made, plain := filepath.Join(bundle, "rootfs.ext4"), filepath.Join(dir, "plain.ext4")
	defer os.Remove(made)
	defer os.Remove(plain)

	costs[0] = u.measure(b, "banger-flatten", "-o", bundle, i.String())
	if os.Getuid() == 0 {
		costs[1] = u.measure(b, "umoci", "unpack", "--image", i.String(), umoci)
	} else {
		costs[1] = u.measure(b, "umoci", "unpack", "--rootless", "--image", i.String(), umoci)
		// What mkfs.ext4 cannot read, and nobody remove.
		output(b, u.command("chmod", "-R", "u+rwX", umoci))
	}
	costs[2] = u.measure(b, "banger-mkext4", bundle)
	output(b, u.command("truncate", "--reference", made, plain))
	costs[3] = u.measure(b, which("mkfs.ext4"), "-q", "-d", filepath.Join(umoci, "rootfs"), plain)
	return costs
}

// A cost is what a process and its children took.
type cost [3]float64

const (
	wall = iota // seconds
	cpu         // seconds, of the user's and the system's
	peak        // the largest resident set of any of them, in MiB
)

// measure runs a program under time(1): a process that Go started itself would
// be charged with this one's memory, as Linux keeps the peak across exec.
func (u user) measure(b *testing.B, name string, args ...string) (c cost) {
	b.Helper()
	report := filepath.Join(u.home, "time")
	cmd := u.command(name, args...)
	cmd.Args = append([]string{"time", "-o", report, "-f", "%U %S %M", cmd.Path}, args...)
	cmd.Path = which("time")
	unix.Sync() // What the run before has written is not for this one to write.
	start := time.Now()
	output(b, cmd)
	c[wall] = time.Since(start).Seconds()
	text, err := os.ReadFile(report)
	if err != nil {
		b.Fatal(err)
	}
	var user, system, kib float64
	if _, err := fmt.Sscan(string(text), &user, &system, &kib); err != nil {
		b.Fatalf("time: %q: %v", text, err)
	}
	c[cpu], c[peak] = user+system, kib/1024
	return c
}

// A match is two programs that do the same, run by run.
type match struct {
	ours, theirs string
	costs        [2][]cost
}

func (m *match) add(ours, theirs cost) {
	m.costs[0] = append(m.costs[0], ours)
	m.costs[1] = append(m.costs[1], theirs)
}

// speed is how many times as fast ours is, going by the medians.
func (m match) speed() float64 { return median(m.costs[1], wall) / median(m.costs[0], wall) }

// pairs are the least and the most that speed is in one run.
func (m match) pairs() (least, most float64) {
	var speeds []float64
	for i, ours := range m.costs[0] {
		speeds = append(speeds, m.costs[1][i][wall]/ours[wall])
	}
	return slices.Min(speeds), slices.Max(speeds)
}

func median(costs []cost, figure int) float64 {
	var values []float64
	for _, c := range costs {
		values = append(values, c[figure])
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func table(matches ...match) string {
	var text strings.Builder
	as := "root"
	if os.Getuid() != 0 {
		as = "an ordinary user (umoci --rootless)"
	}
	fmt.Fprintf(&text, "medians of %d runs as %s\n", len(matches[0].costs[0]), as)
	w := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\twall s\tcpu s\tpeak MiB\ttimes as fast\tin pairs\t")
	for _, m := range matches {
		least, most := m.pairs()
		row(w, m.ours, m.costs[0])
		fmt.Fprintf(w, "%.2f\t%.2f..%.2f\t\n", m.speed(), least, most)
		row(w, m.theirs, m.costs[1])
		fmt.Fprint(w, "\t\t\n")
	}
	w.Flush()
	return text.String()
}

func row(w *tabwriter.Writer, name string, costs []cost) {
	fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.0f\t", name, median(costs, wall), median(costs, cpu), median(costs, peak))
}
