// SPDX-License-Identifier: Apache-2.0

package stage

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// With maker in the environment, the test binary stages the path it names, prints
// the temporary path, and waits for the end of stdin.
const maker = "BANGER_TEST_MAKES"

func TestMain(m *testing.M) {
	dst := os.Getenv(maker)
	if dst == "" {
		os.Exit(m.Run())
	}
	s, err := NewDir(dst, Options{})
	if err == nil {
		err = os.WriteFile(filepath.Join(s.Path, "half"), nil, 0o666)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.Path)
	io.Copy(io.Discard, os.Stdin)
}

// startMaker starts another process that stages dst.
func startMaker(t *testing.T, dst string) (path string, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), maker+"="+dst)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), func() { cmd.Process.Kill(); cmd.Wait() }
}

// A stage of a killed process is swept by the next; that of a running process is
// not, even with the same destination.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	dead, kill := startMaker(t, filepath.Join(dir, "a"))
	alive, _ := startMaker(t, filepath.Join(dir, "a"))
	kill()
	mine := made(t, filepath.Join(dir, "b"), Options{}) // sweeps
	for path, want := range map[string]bool{dead: false, alive: true, mine.Path: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	Sweep(dir) // does not remove a stage of this process either
	if _, err := os.Stat(filepath.Join(mine.Path, "new")); err != nil {
		t.Error(err)
	}
}

// Only temporary names of a Stage are swept, and no symlink is followed.
func TestSweepSpares(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, filepath.Join(elsewhere, "x"))
	for _, name := range []string{".hidden", ".x.staging-short", "x.staging-" + strings.Repeat("A", random), ".x"} {
		write(t, filepath.Join(dir, name))
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, temporary("link"))); err != nil {
		t.Fatal(err)
	}
	before := names(t, dir)
	write(t, filepath.Join(dir, temporary("dead"), "half"))
	Sweep(dir)
	if got := names(t, dir); got != before {
		t.Errorf("left %s, want %s", got, before)
	}
	if names(t, elsewhere) != "x" {
		t.Error("sweep followed a symlink")
	}
}
