// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// probeGuest returns a hex dump of the guest that banger boot probes KVM with.
func probeGuest(t *testing.T) string {
	t.Helper()
	return output(t, exec.Command("sh", "-c", ". ../scripts/processor.sh; guest | od -An -v -tx1"))
}

// TestProbeSource assembles the source in the comments and compares the result
// with the bytes next to it.
func TestProbeSource(t *testing.T) {
	need(t, "gcc", "objcopy")
	script, err := os.ReadFile("../scripts/processor.sh")
	if err != nil {
		t.Fatal(err)
	}
	_, listing, found := strings.Cut(string(script), "\nguest() {\n")
	if !found {
		t.Fatal("no listing")
	}
	var source strings.Builder
	for _, m := range regexp.MustCompile(`(?m)^\t(?:printf '[\\0-7]+' +# |#: )(.*)$`).FindAllStringSubmatch(listing, -1) {
		source.WriteString(m[1] + "\n")
	}
	dir := scratch(t)
	if err := os.WriteFile(filepath.Join(dir, "guest.s"), []byte(source.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	output(t, exec.Command("gcc", "-c", "-m64", "-o", filepath.Join(dir, "guest.o"), filepath.Join(dir, "guest.s")))
	output(t, exec.Command("objcopy", "-O", "binary", "-j", ".text", filepath.Join(dir, "guest.o"), filepath.Join(dir, "guest")))
	assembled := output(t, exec.Command("od", "-An", "-v", "-tx1", filepath.Join(dir, "guest")))
	if written := probeGuest(t); written != assembled || !strings.Contains(written, "f0 48 0f c7") {
		t.Errorf("written:\n%s\nassembled:\n%s", written, assembled)
	}
}

// TestProbeGuest runs the guest under TCG: QEMU exits with 43, or 0 if the
// processor has no cmpxchg16b.
func TestProbeGuest(t *testing.T) {
	need(t, "qemu-system-x86_64")
	program := filepath.Join(scratch(t), "probe")
	output(t, exec.Command("sh", "-c", `. ../scripts/processor.sh; guest >"$0"`, program))
	for cpu, code := range map[string]int{"max": 43, "qemu64": 43, "max,-cx16": 0} {
		o := finish(t, exec.Command("qemu-system-x86_64", "-M", "microvm,x-option-roms=off", "-accel", "tcg", "-cpu", cpu,
			"-no-user-config", "-nodefaults", "-no-reboot", "-display", "none",
			"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", program))
		if o.code != code {
			t.Errorf("%s: exit %d, want %d: %s", cpu, o.code, code, o.stderr)
		}
	}
}
