// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"
)

// kill kills a tool with SIGKILL at many steps of its work: by itself, so that
// its children live on, and with its process group.
func kill(t *testing.T, j job, whole result) {
	for i, at := range steps(whole.changes, 8, 5) {
		who := 1 - 2*(i%2) // negative: the process group
		t.Run(fmt.Sprintf("%+d@%d", who, at), func(t *testing.T) {
			killAt(t, j, whole, at, func(pid int) { syscall.Kill(who*pid, syscall.SIGKILL) })
		})
	}
}

// steps returns some of the numbers 1 to n: spread of them evenly, and the
// last ones, where results get their names.
func steps(n, spread, last int) (at []int) {
	for i := range spread {
		at = append(at, 1+i*(n-last)/spread)
	}
	for i := max(1, n-last+1); i <= n; i++ {
		at = append(at, i)
	}
	return at
}

func killAt(t *testing.T, j job, whole result, at int, kill func(pid int)) {
	place := j.place(t)
	tr := trace{at: at, act: kill}
	tr.run(t, j.command(place))
	done := whole.noneOrWhole(t, j, place)
	// The number of steps varies slightly between runs.
	if !tr.status.Signaled() && (exitCode(tr.status) != 0 || !done) {
		t.Errorf("not killed, exit status %d, whole: %v", exitCode(tr.status), done)
	}
	whole.again(t, j, place, done)
}

// TestKillRemove kills banger-image rm: the image is whole or gone, and the
// next image that is published removes the rest.
func TestKillRemove(t *testing.T) {
	j := jobNamed(t, "register")
	whole := j.undisturbed(t)
	remove := func(place string) *exec.Cmd {
		return withEnv(j.user.command("banger-image", "rm", "small"), "XDG_STATE_HOME="+place)
	}
	published := func() string {
		place := j.place(t)
		output(t, j.command(place))
		return place
	}
	var all trace
	all.run(t, remove(published()))
	for _, at := range steps(all.changes, 4, 3) {
		t.Run(fmt.Sprintf("@%d", at), func(t *testing.T) {
			place := published()
			tr := trace{at: at, act: func(pid int) { syscall.Kill(pid, syscall.SIGKILL) }}
			tr.run(t, remove(place))
			if whole.noneOrWhole(t, j, place) {
				output(t, remove(place))
			}
			whole.again(t, j, place, false)
		})
	}
}
