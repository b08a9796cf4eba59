// SPDX-License-Identifier: Apache-2.0

package test

import "testing"

// TestFault disturbs each tool, and the script that runs them all, in every
// way: results are whole or absent, and the next run succeeds and makes what
// an undisturbed one does.
func TestFault(t *testing.T) {
	for _, j := range jobs(t) {
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			whole := j.undisturbed(t)
			t.Run("kill", func(t *testing.T) { kill(t, j, whole) })
			t.Run("signal", func(t *testing.T) { signals(t, j, whole) })
			t.Run("space", func(t *testing.T) { noSpace(t, j, whole) })
			t.Run("stdout", func(t *testing.T) { stdout(t, j, whole) })
		})
	}
}

// A result is what an undisturbed run of a job does to its place.
type result struct {
	before, after string // what other programs see as results
	none, files   string // snapshots before and after
	changes       int    // number of changes, as a trace counts them
}

// undisturbed runs a job for comparison.
func (j job) undisturbed(t testing.TB) (r result) {
	t.Helper()
	place := j.place(t)
	r.before, r.none = j.look(t, place), snapshot(t, place)
	var tr trace
	tr.run(t, j.command(place))
	if code := exitCode(tr.status); code != 0 {
		t.Fatalf("%s, undisturbed: exit status %d", j.name, code)
	}
	r.after, r.files, r.changes = j.look(t, place), snapshot(t, place), tr.changes
	if r.after == r.before {
		t.Fatalf("%s, undisturbed, made nothing", j.name)
	}
	nothingLeft(t, place)
	checkExt4(t, place) // holds for every file of the same bytes
	return r
}

// nothing fails the test unless the place looks as before.
func (r result) nothing(t testing.TB, j job, place string) {
	t.Helper()
	if got := j.look(t, place); got != r.before {
		t.Errorf("a result is visible:\n%s", diffLines(got, r.before))
	}
	if got := snapshot(t, place); j.tidy && got != r.none {
		t.Errorf("files are left:\n%s", diffLines(got, r.none))
	}
	nothingLeft(t, place)
}

// noneOrWhole fails the test unless the place looks as before or as after a
// whole run, and reports which.
func (r result) noneOrWhole(t testing.TB, j job, place string) (whole bool) {
	t.Helper()
	got := j.look(t, place)
	if got != r.before && got != r.after {
		t.Errorf("partial; differs from a whole run:\n%s", diffLines(got, r.after))
	}
	return got == r.after
}

// again runs the job again in a place where it was disturbed; whole means that
// the disturbance came too late. It must succeed, or fail because the output
// exists, and leave the place as an undisturbed run does.
func (r result) again(t testing.TB, j job, place string, whole bool) {
	t.Helper()
	o := finish(t, j.command(place))
	if o.code != 0 && !(whole && o.code == 73) {
		t.Errorf("the next run: exit status %d\n%s", o.code, o.stderr)
	}
	if got := snapshot(t, place); got != r.files {
		t.Errorf("the next run differs:\n%s", diffLines(got, r.files))
	}
	nothingLeft(t, place)
}
