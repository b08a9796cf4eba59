// SPDX-License-Identifier: Apache-2.0

package test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadTMPDIR checks that each script exits with 73, a message and a hint if no
// temporary directory can be made.
func TestBadTMPDIR(t *testing.T) {
	need(t, "flock")
	u := newUser(t, nobody)
	u.publish(t, "app", kernel(t, u.place(t)))
	output(t, u.command("sh", "-c", "echo >file; mkdir -m 500 closed"))
	for dir, reason := range map[string]string{
		"missing": "no such file or directory",
		"file":    "not a directory",
		"closed":  "permission denied",
	} {
		for _, args := range []string{"image pull registry.invalid/app", "boot app", "kernel debian new"} {
			tmp := filepath.Join(u.home, dir)
			o := finish(t, withEnv(u.command("banger", strings.Fields(args)...), "TMPDIR="+tmp))
			o.failed(t, []int{73}, "banger-", tmp+": "+reason)
			if !strings.HasSuffix(o.stderr, "\nhint: set TMPDIR to a writable directory\n") {
				t.Errorf("banger %s: %s", args, o.stderr)
			}
		}
	}
}

// TestNoFlock checks that each script names flock if it is missing.
func TestNoFlock(t *testing.T) {
	u := newUser(t, nobody)
	u.publish(t, "app", kernel(t, u.place(t)))
	output(t, u.command("sh", "-c", "mkdir path && ln -s /usr/sbin/* /usr/bin/* /bin/* path 2>/dev/null; rm -f path/flock"))
	for _, args := range []string{"image pull registry.invalid/app", "kernel debian new"} {
		o := finish(t, withEnv(u.command("banger", strings.Fields(args)...), "PATH="+filepath.Join(u.home, "path")))
		o.failed(t, []int{66}, "banger-", ": flock: not found")
		if !strings.HasSuffix(o.stderr, "\nhint: install util-linux\n") {
			t.Error(o.stderr)
		}
	}
}

// TestPullUsage checks that banger image pull reports an invalid size, and a user
// without a home directory, before it asks the registry.
func TestPullUsage(t *testing.T) {
	u, reg := newUser(t, nobody), newFaultRegistry(t)
	ref := reg.push(t, "app:1", smallVariant(t, 1))
	reg.misbehave(func(http.ResponseWriter, *http.Request, *httptest.ResponseRecorder) bool {
		t.Error("the registry was asked")
		return false
	})
	o := finish(t, u.command("banger", "image", "pull", "--size=large", ref))
	o.failed(t, []int{64}, "banger-mkext4", "--size")
	o = finish(t, withEnv(u.command("banger", "image", "pull", ref), "HOME="))
	o.failed(t, []int{64}, "banger-image-pull", "neither XDG_STATE_HOME nor HOME is set")
	if !strings.HasSuffix(o.stderr, "\nhint: set HOME\n") {
		t.Error(o.stderr)
	}
}

// publish publishes a small image with a kernel, or without one if it is "".
func (u user) publish(t *testing.T, name, kernel string) {
	t.Helper()
	script := `mkdir -p root/sbin && echo >root/sbin/init && chmod +x root/sbin/init
		banger-mkext4 -f --size 8M root >made && banger-register --name "$1" ${2:+--kernel-ref k} <made`
	if kernel != "" {
		output(t, u.command("banger-kernel", "add", "k", kernel))
	}
	output(t, u.command("sh", "-c", script, "sh", name, kernel))
}

// TestPullReplaces checks that banger image pull -f replaces a published image
// atomically, that a process that has the old one open can read all of it, and
// that nothing but a published image is replaced.
func TestPullReplaces(t *testing.T) {
	u, reg := newUser(t, nobody), newFaultRegistry(t)
	ref := reg.push(t, "app:1", smallVariant(t, 1))
	image := output(t, u.command("banger", "image", "pull", "--size=16M", ref))
	first := read(t, filepath.Join(image, "image.json"))
	reg.push(t, "app:1", smallVariant(t, 2))

	o := finish(t, u.command("banger", "image", "pull", ref))
	o.failed(t, []int{73}, "banger-image-pull", "app-1: exists")
	if !strings.Contains(o.stderr, "\nhint: -f replaces it") {
		t.Error(o.stderr)
	}
	held := finish(t, u.command("sh", "-c", `exec 5<"$1"; flock -s 5
		banger image pull -f --size=16M "$2" && cat /proc/self/fd/5/image.json`, "sh", image, ref))
	if held.code != 0 || held.stdout != image+"\n"+first {
		t.Errorf("exit %d; printed %q, want %q and the old record; %s", held.code, held.stdout, image, held.stderr)
	}
	if read(t, filepath.Join(image, "image.json")) == first {
		t.Error("not replaced")
	}
	output(t, u.command("banger", "image", "pull", "--force", "--size=16M", "--name=app-1", ref))
	noLeftovers(t, u)

	foreign := filepath.Join(filepath.Dir(image), "foreign")
	output(t, u.command("sh", "-c", `mkdir "$1"; echo precious >"$1/file"`, "sh", foreign))
	reg.misbehave(func(http.ResponseWriter, *http.Request, *httptest.ResponseRecorder) bool {
		t.Error("the registry was asked before the name was checked")
		return false
	})
	o = finish(t, u.command("banger", "image", "pull", "-f", "--name=foreign", ref))
	o.failed(t, []int{73}, "banger-image-pull", foreign+": not made by banger, not replaced")
	if got, err := os.ReadFile(filepath.Join(foreign, "file")); err != nil || string(got) != "precious\n" {
		t.Errorf("%q, %v", got, err)
	}
}
