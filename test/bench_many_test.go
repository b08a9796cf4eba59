// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"testing"
)

// BenchmarkMkext4Many makes ext4 images of a million small files, a hundred in
// a directory, and of a tenth of them. It shows whether the cost per file
// grows with their number, and the memory per file.
func BenchmarkMkext4Many(b *testing.B) {
	need(b, "time", "umoci", "mkfs.ext4")
	u := newUser(b, uint32(os.Getuid()))
	dirs := [2]int{scaled(1_000), scaled(10_000)}
	var contests [2]contest
	for i, n := range dirs {
		w := small(b, u, n, 100)
		w.first(b, u)
		contests[i] = append(contest{w.banger()}, w.tar2ext4(b)...)
		for _, e := range contests[i] {
			e.name += fmt.Sprintf(", %d files", n*100)
		}
	}
	for b.Loop() {
		for _, c := range contests {
			c.round(b, u)
		}
	}
	report(b, contests[:]...)
	reportGrowth(b, contests[0][0], contests[1][0], dirs)
}

// reportGrowth reports how the cost grew with the number of directories of a
// hundred files.
func reportGrowth(b *testing.B, few, many *entrant, dirs [2]int) {
	b.Helper()
	times := float64(dirs[1]) / float64(dirs[0])
	linear := median(ratios(many, few, wall)) / times
	perEntry := many.median(peak) * (1 << 20) / float64(dirs[1]*101)
	b.ReportMetric(linear, "linear-x")
	b.ReportMetric(perEntry, "B/entry")
	b.Logf("per file: %.2f times the time and %.2f times the CPU of the smaller run; peak is %.0f bytes per entry",
		linear, median(ratios(many, few, cpu))/times, perEntry)
}
