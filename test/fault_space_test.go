// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// noSpace makes a tool run out of space, and of inodes, at several points of
// its work, and then gives it enough.
func noSpace(t *testing.T, j job, whole result) {
	needRoot(t)
	before, needed := j.usage(t)
	for _, percent := range []int64{0, 20, 60, 95} {
		// A size of 0 means no limit.
		limit := fmt.Sprintf("size=%d", pageSize*max(1, before.pages+needed.pages*percent/100))
		t.Run(limit, func(t *testing.T) { j.starve(t, whole, limit) })
	}
	for _, percent := range []int64{0, 60} {
		limit := fmt.Sprintf("nr_inodes=%d", before.inodes+needed.inodes*percent/100)
		t.Run(limit, func(t *testing.T) { j.starve(t, whole, limit) })
	}
}

// starve runs the job in a place that is too small, and again with space.
func (j job) starve(t *testing.T, whole result, limit string) {
	place := j.memory(t)
	remount(t, place, limit)
	o := finish(t, j.command(place))
	o.failed(t, []int{73}, j.tool, "no space left on device")
	if !j.isSubject(o.stderr) {
		t.Errorf("the message contains none of %q: %q", j.subject, o.stderr)
	}
	whole.nothing(t, j, place)
	remount(t, place, ample)
	whole.again(t, j, place, false)
}

// isSubject reports whether a message contains one of the job's subjects.
func (j job) isSubject(message string) bool {
	for _, s := range j.subject {
		if strings.Contains(message, s) {
			return true
		}
	}
	return false
}

// ample is more than any job needs, and fits a small machine.
const ample = "size=512M,nr_inodes=100000"

// memory returns a place for the job on a filesystem of its own, in memory.
func (j job) memory(t *testing.T) string {
	t.Helper()
	place := j.user.place(t)
	options := fmt.Sprintf("%s,mode=0700,uid=%d,gid=%[2]d", ample, j.user.id)
	if err := unix.Mount("tmpfs", place, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(place, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if j.fill != nil {
		j.fill(t, place)
	}
	return place
}

func remount(t *testing.T, place, options string) {
	t.Helper()
	if err := unix.Mount("tmpfs", place, "tmpfs", unix.MS_REMOUNT|unix.MS_NODEV|unix.MS_NOSUID, options); err != nil {
		t.Fatalf("remount %s: %v", options, err)
	}
}

// usage is the usage of a filesystem in memory.
type usage struct{ pages, inodes int64 }

const pageSize = 4096

// usage returns the usage before the job, and the minimum that it adds.
func (j job) usage(t *testing.T) (before, needed usage) {
	t.Helper()
	place := j.memory(t)
	before = used(t, place)
	if o := finish(t, j.command(place)); o.code != 0 {
		t.Fatalf("with ample space: exit status %d\n%s", o.code, o.stderr)
	}
	after := used(t, place)
	if j.replaces {
		return before, after // old and new exist until the end
	}
	return before, usage{after.pages - before.pages, after.inodes - before.inodes}
}

func used(t *testing.T, place string) usage {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(place, &st); err != nil {
		t.Fatal(err)
	}
	pages := math.Ceil(float64(st.Blocks-st.Bfree) * float64(st.Bsize) / pageSize)
	return usage{int64(pages), int64(st.Files - st.Ffree)}
}
