// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

const kvmDevice = "/dev/kvm"

// A processor is that of the host, by KVM, or an emulated one.
type processor struct {
	args  []string // of QEMU
	clock string   // kernel parameter, "" for none
}

func (p processor) emulated() bool { return p.args[1] == TCG }

// qemu is the program that runs the machine.
const qemu = "qemu-system-x86_64"

// chooseProcessor returns the processor that the user has asked for, or else
// KVM's where a guest runs on it.
func (b *Boot) chooseProcessor(ctx context.Context) (processor, error) {
	if b.Accel == TCG {
		return emulate(b.CPUs), nil
	}
	unusable, err := b.tryKVM(ctx)
	switch {
	case err != nil:
		return processor{}, err
	case unusable == nil:
		return processor{args: []string{"-accel", KVM, "-cpu", "host"}}, nil
	case b.Accel == KVM:
		return processor{}, unusable
	}
	b.Note(fmt.Sprintf("%v: emulating the processor, which is slow", unusable), status.HintOf(unusable))
	return emulate(b.CPUs), nil
}

// emulate returns an emulated processor. A single one counts instructions, so
// that its clock can be measured on a busy host too; several would hang with
// that. QEMU gives their time-stamp counters the rate of the host's, which the
// kernel gets as a parameter: if measuring it fails, this machine has no timer.
func emulate(cpus int) processor {
	if cpus == 1 {
		return processor{args: []string{"-accel", TCG, "-icount", "shift=3", "-cpu", "max"}}
	}
	p := processor{args: []string{"-accel", TCG, "-cpu", "max"}}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		if rate := counterRate(f); rate > 0 {
			p.clock = fmt.Sprintf("tsc_early_khz=%d", rate)
		}
	}
	return p
}

var gigahertz = regexp.MustCompile(`([0-9.]+)GHz`)

// counterRate returns the rate of the host's time-stamp counter in kHz, read
// from /proc/cpuinfo, or 0. In a virtual machine it is "cpu MHz", which on
// hardware varies with the load; there it is the rate in the model's name.
func counterRate(cpuinfo io.Reader) int {
	var named, current float64
	for lines := bufio.NewScanner(cpuinfo); lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ":")
		switch strings.TrimSpace(field) {
		case "model name":
			if m := gigahertz.FindStringSubmatch(value); m != nil {
				named, _ = strconv.ParseFloat(m[1], 64)
			}
		case "cpu MHz":
			current, _ = strconv.ParseFloat(strings.TrimSpace(value), 64)
		case "flags":
			if strings.Contains(value+" ", " hypervisor ") {
				return int(current * 1000)
			}
			return int(named * 1000000)
		}
	}
	return 0
}

// tryKVM returns why KVM cannot be used, nil if it can. Where the user has
// asked for it, it is not tried out: QEMU says what is wrong with it.
func (b *Boot) tryKVM(ctx context.Context) (unusable, err error) {
	if err := canOpenKVM(); err != nil || b.Accel == KVM {
		return err, nil
	}
	works, err := b.probe(ctx)
	if works || err != nil {
		return nil, err
	}
	return status.Hint(status.Errorf(status.Failed, "%s: cannot run a guest", kvmDevice), "--accel kvm shows why, --accel tcg does not try"), nil
}

// canOpenKVM returns why this user cannot open /dev/kvm, nil if that is possible.
func canOpenKVM() error {
	switch err := unix.Access(kvmDevice, unix.R_OK|unix.W_OK); {
	case err == unix.ENOENT:
		return status.Hint(status.Errorf(status.NoInput, "%s: no such file", kvmDevice),
			"as root, modprobe kvm_intel or kvm_amd; in a container, --device=/dev/kvm")
	case err != nil:
		return status.Hint(status.Errorf(status.Refused, "%s: permission denied", kvmDevice), "%s", permit())
	}
	return nil
}

// permit returns the command that lets this user open /dev/kvm.
func permit() string {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	info, err := os.Stat(kvmDevice)
	if err == nil && info.Mode()&0o060 == 0o060 {
		gid := info.Sys().(*syscall.Stat_t).Gid
		if g, err := user.LookupGroupId(strconv.Itoa(int(gid))); err == nil && gid != 0 {
			return fmt.Sprintf("sudo usermod -aG %s %s, then log in again", g.Name, name)
		}
	}
	return fmt.Sprintf("sudo setfacl -m u:%s:rw %s", name, kvmDevice)
}

// probePatience is how long the guest that tries KVM out may take. It needs
// some milliseconds. A test sets it.
var probePatience = time.Second

// probe reports whether a guest runs with KVM, in a machine of the type that the
// image will have. In a virtual machine without proper nesting, /dev/kvm may
// open, and the guest spin or stop. QEMU itself may need as long when it is read
// from a disk, so it is run once before.
func (b *Boot) probe(ctx context.Context) (works bool, err error) {
	program := filepath.Join(b.scratch.Path, "probe")
	if err := os.WriteFile(program, probeGuest(), 0o600); err != nil {
		return false, status.Hint(status.With(status.Create, err), "set TMPDIR to a directory with more space")
	}
	if _, _, err := run(ctx, b.qemu, "", "--version"); err != nil {
		return false, err
	}
	limited, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	cmd := exec.CommandContext(limited, b.qemu, "-M", machineType, "-accel", KVM, "-cpu", "host",
		"-no-user-config", "-nodefaults", "-no-reboot", "-display", "none",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", program)
	if p, err := start(cmd, false); err == nil {
		<-p.ended // see the exit status below
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == probeWorks, nil
}
