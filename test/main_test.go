// SPDX-License-Identifier: Apache-2.0

// Package test runs banger as its users do: the installed tools and scripts, a
// real registry and real images. Other programs check the results.
package test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// bin is the directory of the tools and scripts, installed by `make install`;
// every test runs them from there.
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
	// The unprivileged user must be able to run the tools.
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

// readSources lists the sources of the tools. "go test" caches a result until a file or
// directory changes that the tests have read. It does not see what the programs read.
var readSources = sync.OnceFunc(func() {
	for _, path := range []string{"../Makefile", "../go.mod", "../cmd", "../completions", "../lib", "../man", "../scripts"} {
		filepath.WalkDir(path, func(_ string, _ fs.DirEntry, err error) error { return err })
	}
})

// loginPath is the PATH of an ordinary user of Debian: mkfs.ext4 is not in it.
const loginPath = "/usr/local/bin:/usr/bin:/bin"

// nobody is the id of an unprivileged user and group without a name.
const nobody = 54321

// need skips the test if a program is missing, or fails it if CI=true.
func need(t testing.TB, programs ...string) {
	t.Helper()
	readSources()
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

// needRoot skips the test for an ordinary user, or fails it if CI=true.
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

// which returns the path of a program in PATH or the system directories, or "".
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

// newUser creates a user with a new home: the one with the id if the tests run
// as root, else the one who runs the tests.
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

// command returns a program as the user would start it.
func (u user) command(name string, args ...string) *exec.Cmd {
	readSources()
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

// output runs a command that must succeed and returns its standard output
// without trailing newlines.
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
