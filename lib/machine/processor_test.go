// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/stage"
)

// spinning stands for QEMU with a guest that spins: it says so, and that it has
// survived once it is asked.
const spinning = `#!/bin/sh
[ "$1" != --version ] || exit 0
exec 3>said
echo spins >&3
read line <asked
echo survived >&3
`

// TestProbeDies kills a process that tries KVM out: its QEMU dies too.
func TestProbeDies(t *testing.T) {
	const variable = "BANGER_TEST_PROBE"
	if dir := os.Getenv(variable); dir != "" { // the process that is killed
		probePatience = time.Hour // so that only the death of the parent ends it
		b := &Boot{qemu: "./qemu", scratch: &stage.Stage{Path: dir}}
		b.probe(t.Context())
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"said", "asked"} {
		if err := unix.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "qemu"), []byte(spinning), 0o700); err != nil {
		t.Fatal(err)
	}
	asked, err := os.OpenFile(filepath.Join(dir, "asked"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer asked.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestProbeDies$")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), variable+"="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := os.Open(filepath.Join(dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	lines := bufio.NewReader(said)
	if line, err := lines.ReadString('\n'); line != "spins\n" {
		t.Errorf("%q, %v", line, err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if _, err := asked.WriteString("?\n"); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}
