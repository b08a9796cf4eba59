// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
)

// A contest is programs that do the same work in turn. The first is banger's.
type contest []*entrant

// round runs every entrant once, starting with another one each time: memory
// that the last process freed is cheap for the next, and some hosts reclaim
// what a virtual machine has not used for a second.
func (c contest) round(b *testing.B, u user) {
	b.Helper()
	first := len(c[0].costs)
	for i := range c {
		c[(first+i)%len(c)].run(b, u)
	}
}

// ratios returns e's cost divided by the first entrant's, per run.
func (c contest) ratios(e *entrant, figure int) []float64 { return ratios(e, c[0], figure) }

// ratios returns the cost of one entrant divided by another's, per run.
func ratios(one, other *entrant, figure int) (values []float64) {
	for i := range min(len(one.costs), len(other.costs)) {
		values = append(values, one.costs[i][figure]/other.costs[i][figure])
	}
	return values
}

// report prints the contests as a table, and the figures to watch as metrics.
// The testing package truncates a benchmark's log after nine lines.
func report(b *testing.B, contests ...contest) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // the time of all entrants together is meaningless
	for _, c := range contests {
		first := strings.Fields(c[0].name)[0]
		b.ReportMetric(c[0].median(peak), first+"-MiB")
		for _, e := range c[1:] {
			b.ReportMetric(median(c.ratios(e, wall)), strings.Fields(e.name)[0]+"-x")
		}
	}
	b.Log(table(contests...))
}

// table returns a table with a row for each program: medians, and ratios to
// the first.
func table(contests ...contest) string {
	var text strings.Builder
	as := "root"
	if os.Getuid() != 0 {
		as = "an ordinary user (umoci --rootless)"
	}
	fmt.Fprintf(&text, "medians, as %s; x: ratio to the first, run by run\n", as)
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\truns\twall s\tcpu s\tpeak MiB\twall x\tmin..max\tcpu x\tpeak x\t")
	for _, c := range contests {
		for _, e := range c {
			c.row(w, e)
		}
	}
	w.Flush()
	return strings.TrimRight(text.String(), "\n")
}

func (c contest) row(w io.Writer, e *entrant) {
	fmt.Fprintf(w, "%s\t%d\t%.2f\t%.2f\t%.0f\t", e.name, len(e.costs), e.median(wall), e.median(cpu), e.median(peak))
	if e == c[0] {
		fmt.Fprintln(w, "\t\t\t\t")
		return
	}
	pairs := c.ratios(e, wall)
	fmt.Fprintf(w, "%.2f\t%.2f..%.2f\t%.2f\t%.2f\t\n", median(pairs), slices.Min(pairs), slices.Max(pairs),
		median(c.ratios(e, cpu)), median(c.ratios(e, peak)))
}
