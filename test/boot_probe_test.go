// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// probeListing is the program by which banger boot tries KVM out, as lib/machine
// has it: its bytes, and its source in the comments.
func probeListing(t *testing.T) (program []byte, source string) {
	t.Helper()
	text, err := os.ReadFile("../lib/machine/probe.go")
	if err != nil {
		t.Fatal(err)
	}
	_, listing, found := strings.Cut(string(text), "\nvar probeProgram = []byte{\n")
	if !found {
		t.Fatal("no listing")
	}
	var lines strings.Builder
	for _, m := range regexp.MustCompile(`(?m)^\t((?:0x[0-9a-f]{2}, ?)*) *(?:// (.*)|//: (.*))?$`).FindAllStringSubmatch(listing, -1) {
		for _, b := range strings.Fields(strings.ReplaceAll(m[1], ",", " ")) {
			n, err := strconv.ParseUint(b, 0, 8)
			if err != nil {
				t.Fatal(err)
			}
			program = append(program, byte(n))
		}
		if m[1] != "" || m[3] != "" { // others are for people
			lines.WriteString(m[2] + m[3] + "\n")
		}
	}
	return program, lines.String()
}

// TestProbeSource: the bytes are what the source beside them is assembled to.
func TestProbeSource(t *testing.T) {
	need(t, "gcc", "objcopy")
	program, source := probeListing(t)
	dir := scratch(t)
	if err := os.WriteFile(filepath.Join(dir, "guest.s"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	output(t, exec.Command("gcc", "-c", "-m64", "-o", filepath.Join(dir, "guest.o"), filepath.Join(dir, "guest.s")))
	output(t, exec.Command("objcopy", "-O", "binary", "-j", ".text", filepath.Join(dir, "guest.o"), filepath.Join(dir, "guest")))
	assembled, err := os.ReadFile(filepath.Join(dir, "guest"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(program, assembled) || !bytes.Contains(program, []byte("\xf0\x48\x0f\xc7")) {
		t.Errorf("written:\n% x\nassembled:\n% x", program, assembled)
	}
}

// TestProbeGuest runs the guest under TCG: QEMU exits with 43, or 0 if the
// processor has no cmpxchg16b.
func TestProbeGuest(t *testing.T) {
	need(t, "qemu-system-x86_64")
	program := filepath.Join(scratch(t), "probe")
	guest, _ := probeListing(t)
	if err := os.WriteFile(program, guest, 0o644); err != nil {
		t.Fatal(err)
	}
	for cpu, code := range map[string]int{"max": 43, "qemu64": 43, "max,-cx16": 0} {
		o := finish(t, exec.Command("qemu-system-x86_64", "-M", "microvm,x-option-roms=off", "-accel", "tcg", "-cpu", cpu,
			"-no-user-config", "-nodefaults", "-no-reboot", "-display", "none",
			"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", program))
		if o.code != code {
			t.Errorf("%s: exit %d, want %d: %s", cpu, o.code, code, o.stderr)
		}
	}
}
