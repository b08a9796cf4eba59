// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"syscall"
	"testing"
)

// signals ends a tool with the signals a person sends, to its process group as
// a terminal does, and to the tool only as kill(1) does. They come in the
// first half of the work, and nothing may remain.
func signals(t *testing.T, j job, whole result) {
	all := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}
	for i, at := range steps(whole.changes/2, len(all), 0) {
		who := 1 - 2*(i%2) // negative: the process group
		t.Run(fmt.Sprintf("%d:%+d@%d", all[i], who, at), func(t *testing.T) {
			signalAt(t, j, whole, at, func(pid int) { syscall.Kill(who*pid, all[i]) }, all[i])
		})
	}
}

func signalAt(t *testing.T, j job, whole result, at int, send func(pid int), signal syscall.Signal) {
	place := j.place(t)
	tr := trace{at: at, act: send, hold: true}
	tr.run(t, j.command(place))
	if got, want := exitCode(tr.status), 128+int(signal); got != want {
		t.Errorf("exit status %d, want %d", got, want)
	}
	whole.nothing(t, j, place)
	whole.again(t, j, place, false)
}
