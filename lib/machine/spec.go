// SPDX-License-Identifier: Apache-2.0

// Package machine boots published images in QEMU: the disk, the processor, the
// machine's directory, its console and its end.
package machine

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"banger/lib/guest"
	"banger/lib/status"
)

// A Spec is what a user wants of a machine.
type Spec struct {
	Name        string        // "" for one made of the image's name
	Guest       guest.Machine // Args, User and Env
	Memory      int           // MiB
	CPUs        int
	Accel       string // KVM or TCG, "" for KVM where it works
	Keep        string // the disk to boot, "" for a copy that is removed
	Size        int64  // bytes that Keep has at least, 0 for those it has
	Network     bool   // the guest may reach the network
	Publish     []Forward
	Interactive bool // standard input is the command's
	Detached    bool // the console is a file
}

// Values of Spec.Accel, as QEMU names them.
const (
	KVM = "kvm"
	TCG = "tcg"
)

// A Forward is a port of the host's loopback that leads to one of the guest.
type Forward struct {
	Host  uint16 `json:"host"` // 0 for one that QEMU chooses
	Guest uint16 `json:"guest"`
}

// ParseForward reads HOST:GUEST.
func ParseForward(text string) (Forward, error) {
	host, inside, _ := strings.Cut(text, ":")
	h, err1 := strconv.ParseUint(host, 10, 16)
	g, err2 := strconv.ParseUint(inside, 10, 16)
	if err1 != nil || err2 != nil || g == 0 {
		return Forward{}, status.Errorf(status.Usage, "--publish %s: not HOST:GUEST, such as 8080:80 or 0:80", text)
	}
	return Forward{uint16(h), uint16(g)}, nil
}

// maxMemory is the most memory of a machine, in MiB.
const maxMemory = 16 << 20

// ParseMemory reads an amount of memory, in MiB or with a suffix, as QEMU does.
func ParseMemory(text string) (mebibytes int, err error) {
	digits, factor := text, 1
	if at := strings.IndexAny(text, "MmGg"); at >= 0 && at == len(text)-1 {
		digits = text[:at]
		if text[at]|0x20 == 'g' {
			factor = 1024
		}
	}
	n, ok := number(digits)
	switch {
	case !ok:
		return 0, status.Errorf(status.Usage, "--memory %s: not a size such as 512M or 2G", text)
	case n < 0 || n > int64(maxMemory/factor):
		return 0, status.Errorf(status.Usage, "--memory %s: too large", text)
	}
	return int(n) * factor, nil
}

// maxDisk is the largest size of a disk, in bytes.
const maxDisk = 1 << 50

// suffixes are those of sizes: of 1024 bytes, of 1024 times as many, and so on.
const suffixes = "KMGT"

// ParseSize reads the size of a disk, in bytes or with a suffix.
func ParseSize(text string) (bytes int64, err error) {
	digits, shift := text, 0
	if at := strings.IndexAny(text, suffixes); at >= 0 && at == len(text)-1 {
		digits, shift = text[:at], 10*(1+strings.IndexByte(suffixes, text[at]))
	}
	n, ok := number(digits)
	switch {
	case !ok:
		return 0, status.Errorf(status.Usage, "--size %s: not a size such as 512M or 20G", text)
	case n < 0 || n > maxDisk>>shift:
		return 0, status.Errorf(status.Usage, "--size %s: too large", text)
	}
	return n << shift, nil
}

// formatSize returns a size of a disk as ParseSize reads it.
func formatSize(bytes int64) string {
	shift := min(bits.TrailingZeros64(uint64(bytes))/10, len(suffixes))
	if shift == 0 {
		return strconv.FormatInt(bytes, 10)
	}
	return fmt.Sprintf("%d%c", bytes>>(10*shift), suffixes[shift-1])
}

// ParseCPUs reads a number of processors.
func ParseCPUs(text string) (int, error) {
	n, ok := number(text)
	if !ok || n < 0 || n > 255 {
		return 0, status.Errorf(status.Usage, "--cpus %s: not a number from 1 to 999", text)
	}
	return int(n), nil
}

// number reads a number of decimal digits that does not begin with 0. It is -1
// if it is larger than an int64.
func number(digits string) (n int64, ok bool) {
	if digits == "" || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return -1, true
	}
	return n, true
}

// Check refuses what does not go together.
func (s Spec) Check() error {
	switch {
	case s.Accel != "" && s.Accel != KVM && s.Accel != TCG:
		return status.Errorf(status.Usage, "--accel %s: not kvm or tcg", s.Accel)
	case s.Size != 0 && s.Keep == "":
		return status.Errorf(status.Usage, "--size needs --keep")
	case s.Interactive && s.Detached:
		return status.Errorf(status.Usage, "-i and -d exclude each other")
	case s.Interactive && len(s.Guest.Args) == 0:
		return status.Errorf(status.Usage, "-i needs a command after --")
	}
	for _, pair := range s.Guest.Env {
		if name, _, ok := strings.Cut(pair, "="); !ok || name == "" {
			return status.Errorf(status.Usage, "--env %s: not NAME=VALUE", pair)
		}
	}
	for _, word := range append(append([]string{s.Guest.User}, s.Guest.Args...), s.Guest.Env...) {
		if !utf8.ValidString(word) || strings.ContainsRune(word, 0) {
			return status.Errorf(status.Usage, "%q: not UTF-8", word)
		}
	}
	return checkPath(s.Keep)
}

// checkPath refuses paths that QEMU's options and JSON have no room for.
func checkPath(path string) error {
	if strings.ContainsAny(path, ",\"\\\n") {
		return status.Errorf(status.Usage, "%s: a comma, quote, backslash or newline in the path", path)
	}
	return nil
}

// guestAddress is the address to which QEMU's user network forwards ports.
const guestAddress = "10.0.2.15"

// address returns the kernel's ip= parameter for QEMU's user network
// (Documentation/admin-guide/nfs/nfsroot.rst).
func address(hostname string) string {
	return fmt.Sprintf("ip=%s::10.0.2.2:255.255.255.0:%s:eth0:off:10.0.2.3", guestAddress, hostname)
}
