// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// stuckMkfs is a mkfs.ext4 that the first time it makes a filesystem writes
// its process id to a file and waits.
const stuckMkfs = `#!/bin/sh
case " $* " in
*" -q "*)
	if mkdir %[1]s/first 2>/dev/null; then
		echo $$ >%[1]s/pid.new
		mv %[1]s/pid.new %[1]s/pid
		until test -e %[1]s/go; do sleep 0.02; done
	fi
esac
exec %[2]s "$@"
`

// A stuck is the directory of a stuckMkfs.
type stuck struct{ dir string }

func newStuck(t testing.TB, u user) stuck {
	t.Helper()
	s := stuck{u.place(t)}
	script := fmt.Sprintf(stuckMkfs, s.dir, which("mkfs.ext4"))
	if err := os.WriteFile(filepath.Join(s.dir, "mkfs.ext4"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// use makes a command find it.
func (s stuck) use(cmd *exec.Cmd) *exec.Cmd {
	return withEnv(cmd, "PATH="+s.dir+":"+bin+":"+loginPath)
}

// await returns its process id once it waits.
func (s stuck) await(t testing.TB) (pid int) {
	t.Helper()
	await(t, "mkfs.ext4", func() bool {
		b, err := os.ReadFile(filepath.Join(s.dir, "pid"))
		if err == nil {
			pid, err = strconv.Atoi(string(bytes.TrimSpace(b)))
		}
		return err == nil
	})
	return pid
}

// release lets it continue.
func (s stuck) release(t testing.TB) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestKillOrphan kills banger-mkext4, and the script, and runs it again before
// the orphaned mkfs.ext4 writes.
func TestKillOrphan(t *testing.T) {
	for _, name := range []string{"mkext4-mkfs", "pull"} {
		t.Run(name, func(t *testing.T) {
			j := jobNamed(t, name)
			whole, mkfs, place := j.undisturbed(t), newStuck(t, j.user), j.place(t)
			cmd := mkfs.use(j.command(place))
			end := begin(t, cmd)
			pid := mkfs.await(t)
			cmd.Process.Kill()
			if o := finish(t, j.command(place)); o.code != 0 {
				t.Errorf("next to the orphan: exit status %d\n%s", o.code, o.stderr)
			}
			mkfs.release(t)
			await(t, "the stuck mkfs.ext4 to end", func() bool { return gone(pid) })
			end() // once every process has closed stderr
			if !whole.noneOrWhole(t, j, place) {
				t.Error("the result of the second run is gone")
			}
			whole.again(t, j, place, true)
		})
	}
}

// TestKillOtherImage kills banger-mkext4 and then makes another image there.
func TestKillOtherImage(t *testing.T) {
	j := jobNamed(t, "mkext4-o")
	mkfs, place := newStuck(t, j.user), j.place(t)
	cmd := mkfs.use(j.command(place))
	end := begin(t, cmd)
	mkfs.await(t)
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	end()
	reg := newFaultRegistry(t)
	source := output(t, j.user.command("banger-fetch", reg.push(t, "third:1", smallVariant(t, 3))))
	other := output(t, j.user.command("banger-flatten", "-C", j.user.place(t), source))
	output(t, j.user.command("banger-mkext4", "--size", diskSize, "-o", filepath.Join(place, "disk.ext4"), other))
	record, err := os.ReadFile(filepath.Join(place, "image.json"))
	if err != nil || !bytes.Contains(record, []byte("/third:1")) {
		t.Errorf("image.json next to the file: %v %s", err, record)
	}
	nothingLeft(t, place)
}

// gone reports whether a process has ended, reaped or not.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// await polls until a condition holds, for half a minute at most.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}
