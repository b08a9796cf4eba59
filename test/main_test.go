// SPDX-License-Identifier: Apache-2.0

// Package test runs banger as its users do: the built tools, the scripts, a
// real registry, real images. Other programs judge what comes out.
package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// bin holds the built tools and the scripts, as `make install` would lay them
// out; every test runs them from there.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "banger-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = filepath.Join(dir, "bin")
	// Everybody's, so that the unprivileged user can run what is in it.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	install := exec.Command("make", "-s", "-C", "..", "install", "DESTDIR=", "PREFIX="+dir)
	install.Stdout, install.Stderr = os.Stderr, os.Stderr
	if err := install.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "make install:", err)
		return 1
	}
	return m.Run()
}

// loginPath is what an ordinary user of Debian has: no /usr/sbin, so mkfs.ext4
// is not in it.
const loginPath = "/usr/local/bin:/usr/bin:/bin"

// nobody is an unprivileged user and group of no name.
const nobody = 54321

// need skips the test when one of the programs is missing, and fails it where
// nothing may be skipped (CI=true).
func need(t testing.TB, programs ...string) {
	t.Helper()
	var missing []string
	for _, p := range programs {
		if which(p) == "" {
			missing = append(missing, p)
		}
	}
	switch {
	case len(missing) == 0:
	case os.Getenv("CI") == "true":
		t.Fatalf("missing: %s; scripts/deps --test installs them", strings.Join(missing, " "))
	default:
		t.Skipf("missing: %s; scripts/deps --test installs them", strings.Join(missing, " "))
	}
}

// needRoot skips the test for an ordinary user, and fails it where nothing may
// be skipped.
func needRoot(t testing.TB) {
	t.Helper()
	switch {
	case os.Getuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatal("this test needs root")
	default:
		t.Skip("this test needs root")
	}
}

// which finds a program in PATH, then where system tools are kept.
func which(program string) string {
	if p, err := exec.LookPath(program); err == nil {
		return p
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if p, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return p
		}
	}
	return ""
}

// A user runs banger with a home of its own and a login's PATH.
type user struct {
	home string
	id   uint32
}

// newUser makes a home below a fresh directory. The user is an unprivileged
// one when the tests run as root and id is not 0, else whoever runs them.
func newUser(t testing.TB, id uint32) user {
	t.Helper()
	home, err := os.MkdirTemp("/var/tmp", "banger-test-home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	if os.Getuid() == 0 {
		if err := os.Chown(home, int(id), int(id)); err != nil {
			t.Fatal(err)
		}
	}
	return user{home, id}
}

// command is a program as the user would start it.
func (u user) command(name string, args ...string) *exec.Cmd {
	path := loginPath
	if os.Getuid() == 0 && u.id == 0 {
		path = "/usr/sbin:/sbin:" + loginPath
	}
	if strings.HasPrefix(name, "banger") {
		name = filepath.Join(bin, name)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = u.home
	cmd.Env = []string{"HOME=" + u.home, "PATH=" + bin + ":" + path, "TMPDIR=" + u.home}
	if os.Getuid() == 0 && u.id != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.id, Gid: u.id}}
	}
	return cmd
}

// output runs a command that must succeed and returns what it printed.
func output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out, stderr.String())
	}
	return strings.TrimRight(string(out), "\n")
}

func TestScript(t *testing.T) {
	need(t, "mkfs.ext4", "e2fsck", "debugfs", "flock")
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("PATH", bin+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
			return nil
		},
		RequireExplicitExec: true,
	})
}
