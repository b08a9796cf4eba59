// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The fault tests interrupt and starve the tools and feed them bad input, then
// check what is left. This file defines the jobs that they disturb.

// A job is a command and a way to look at its result. It changes nothing
// outside a directory of its own, its place.
type job struct {
	name    string
	user    user
	tool    string   // prefix of its messages
	subject []string // names that its messages may contain
	// fill adds what the job needs to an empty place; nil for nothing.
	fill    func(t testing.TB, place string)
	command func(place string) *exec.Cmd
	// look describes what other programs see as results in the place. A
	// partial result fails the test.
	look func(t testing.TB, place string) string
	// tidy: a failed run leaves the place unchanged.
	tidy bool
	// replaces: the old result exists until the end.
	replaces bool
}

// place returns a new directory with what the job needs.
func (j job) place(t testing.TB) string {
	t.Helper()
	place := j.user.place(t)
	if j.fill != nil {
		j.fill(t, place)
	}
	return place
}

// place returns a new empty directory that the user owns.
func (u user) place(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(u.home, "place-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Getuid() == 0 {
		if err := os.Chown(dir, int(u.id), int(u.id)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// withEnv adds to a command's environment.
func withEnv(cmd *exec.Cmd, env ...string) *exec.Cmd {
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// jobs returns the jobs: all the tools and the script, with their inputs.
func jobs(t testing.TB) []job {
	t.Helper()
	need(t, "mkfs.ext4", "e2fsck")
	u := newUser(t, nobody)
	reg := newFaultRegistry(t)
	ref := reg.push(t, "small:1", smallImage(t))
	source := output(t, u.command("banger-fetch", ref))
	bundle := output(t, u.command("banger-flatten", "-C", u.place(t), source))
	other := output(t, u.command("banger-fetch", reg.push(t, "other:1", smallVariant(t, 1))))
	other = output(t, u.command("banger-flatten", "-C", u.place(t), other))
	disk := filepath.Join(u.place(t), "disk.ext4")
	output(t, u.command("banger-mkext4", "--size", diskSize, "-o", disk, bundle))
	return []job{
		fetchJob(u, ref), flattenJob(u, source), replaceJob(u, source, other),
		mkext4Job(u, bundle, "mkfs"), mkext4Job(u, bundle, "direct"), mkext4OutputJob(u, bundle), registerJob(u, disk, kernel(t, u.place(t))),
		kernelJob(u, kernel(t, u.place(t))), pullJob(u, ref, kernel(t, u.place(t))),
	}
}

// jobNamed returns one of the jobs.
func jobNamed(t testing.TB, name string) job {
	t.Helper()
	for _, j := range jobs(t) {
		if j.name == name {
			return j
		}
	}
	t.Fatalf("no job %s", name)
	panic("unreachable")
}

// diskSize is enough for smallImage, and small, as a hundred are made.
const diskSize = "16M"

func fetchJob(u user, ref string) job {
	return job{
		name: "fetch", user: u, tool: "banger-fetch: ", subject: []string{ref},
		command: func(place string) *exec.Cmd {
			return withEnv(u.command("banger-fetch", ref), "XDG_CACHE_HOME="+place)
		},
		look: func(t testing.TB, place string) string {
			return cacheGood(t, filepath.Join(place, "banger/oci"))
		},
	}
}

func flattenJob(u user, source string) job {
	return job{
		name: "flatten", user: u, tool: "banger-flatten: ", subject: []string{source, "small-1.bundle"},
		command: func(place string) *exec.Cmd {
			return u.command("banger-flatten", "-C", place, source)
		},
		look: snapshot, tidy: true,
	}
}

// replaceJob flattens over the bundle of another image.
func replaceJob(u user, source, other string) job {
	return job{
		name: "flatten-f", user: u, tool: "banger-flatten: ", subject: []string{source, "x.bundle"},
		fill: func(t testing.TB, place string) {
			output(t, u.command("cp", "-a", other, filepath.Join(place, "x.bundle")))
		},
		command: func(place string) *exec.Cmd {
			return u.command("banger-flatten", "-f", "-o", filepath.Join(place, "x.bundle"), source)
		},
		look: snapshot, tidy: true, replaces: true,
	}
}

// mkext4Job makes an ext4 file in a bundle that must not change otherwise.
func mkext4Job(u user, bundle, populate string) job {
	name := filepath.Base(bundle)
	return job{
		name: "mkext4-" + populate, user: u, tool: "banger-mkext4: ", subject: []string{name},
		fill: func(t testing.TB, place string) {
			output(t, u.command("cp", "-a", bundle, place))
		},
		command: func(place string) *exec.Cmd {
			return u.command("banger-mkext4", "--populate", populate, "--size", diskSize, filepath.Join(place, name))
		},
		look: func(t testing.TB, place string) string {
			return withFile(snapshot(t, place), name+"/rootfs.ext4", name+"/rootfs.ext4.json")
		},
		tidy: true,
	}
}

// mkext4OutputJob makes an ext4 file outside its bundle.
func mkext4OutputJob(u user, bundle string) job {
	return job{
		name: "mkext4-o", user: u, tool: "banger-mkext4: ", subject: []string{bundle, "disk.ext4"},
		command: func(place string) *exec.Cmd {
			return u.command("banger-mkext4", "--size", diskSize, "-o", filepath.Join(place, "disk.ext4"), bundle)
		},
		look: func(t testing.TB, place string) string {
			return withFile(snapshot(t, place), "disk.ext4", "disk.ext4.json", "image.json", "config.json")
		},
		tidy: true,
	}
}

// registerJob publishes a copy of an ext4 file.
func registerJob(u user, disk, kernel string) job {
	return job{
		name: "register", user: u, tool: "banger-register: ", subject: []string{disk, "images/small"},
		command: func(place string) *exec.Cmd {
			return withEnv(u.command("banger-register", "--name", "small", "--kernel", kernel+"/vmlinux",
				"--initrd", kernel+"/initrd.img", "--modules", kernel+"/modules", disk), "XDG_STATE_HOME="+place)
		},
		look: func(t testing.TB, place string) string {
			return snapshot(t, filepath.Join(place, "banger/images"))
		},
	}
}

// kernelJob adds a kernel.
func kernelJob(u user, source string) job {
	return job{
		name: "kernel", user: u, tool: "banger-kernel: ", subject: []string{source, "kernels/small"},
		command: func(place string) *exec.Cmd {
			return withEnv(u.command("banger-kernel", "add", "small", source), "XDG_STATE_HOME="+place)
		},
		look: func(t testing.TB, place string) string {
			return snapshot(t, filepath.Join(place, "banger/kernels"))
		},
	}
}

// pullJob is the script, which runs all tools.
func pullJob(u user, ref, kernel string) job {
	return job{
		name: "pull", user: u, tool: "", subject: []string{""},
		fill: func(t testing.TB, place string) {
			output(t, u.command("mkdir", "-p", filepath.Join(place, "tmp")))
			output(t, withEnv(u.command("banger-kernel", "add", "small", kernel), "XDG_STATE_HOME="+place+"/state"))
		},
		command: func(place string) *exec.Cmd {
			return withEnv(u.command("banger", "image", "pull", ref, "--name", "small", "--kernel-ref", "small", "--size", diskSize),
				"XDG_CACHE_HOME="+place+"/cache", "XDG_STATE_HOME="+place+"/state", "TMPDIR="+place+"/tmp")
		},
		look: func(t testing.TB, place string) string {
			cacheGood(t, filepath.Join(place, "cache/banger/oci"))
			return snapshot(t, filepath.Join(place, "state/banger/images"))
		},
	}
}
