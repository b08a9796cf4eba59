// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// releaseFiles ends the use of files of the root filesystem as swap, and as loop
// devices: no process has them open, but the filesystem could not become read-only.
func releaseFiles() {
	var root unix.Stat_t
	if unix.Stat("/", &root) != nil {
		return
	}
	loops := loopsOn(root.Dev)
	for _, device := range loops { // swap may be on one
		swapOff(device)
	}
	text, _ := os.ReadFile("/proc/swaps")
	for _, file := range swapFiles(string(text)) {
		var st unix.Stat_t
		if unix.Lstat(file, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Dev == root.Dev {
			if err := swapOff(file); err != nil {
				say("%s: %v", file, err)
			}
		}
	}
	for _, device := range loops {
		if err := detachLoop(device); err != nil {
			say("%s: %v", device, err)
		}
	}
}

// swapFiles returns the names in /proc/swaps (swap_show in mm/swapfile.c). Spaces and
// backslashes are octal in them.
func swapFiles(text string) (files []string) {
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, " ")
		file, err := strconv.Unquote(`"` + strings.ReplaceAll(name, `"`, `\"`) + `"`)
		if err == nil && filepath.IsAbs(file) { // not the line of titles
			files = append(files, file)
		}
	}
	return files
}

func swapOff(file string) error {
	name, err := unix.BytePtrFromString(file)
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(name)), 0, 0); errno != 0 {
		return os.NewSyscallError("swapoff", errno)
	}
	return nil
}

// loopsOn lists the loop devices whose files are on a filesystem.
func loopsOn(dev uint64) (devices []string) {
	all, _ := filepath.Glob("/sys/block/loop*/loop/backing_file") // there while it has a file
	for _, name := range all {
		device := filepath.Join("/dev", strings.Split(name, "/")[3])
		f, err := os.Open(device)
		if err != nil {
			continue
		}
		info, err := unix.IoctlLoopGetStatus64(int(f.Fd()))
		f.Close()
		if err == nil && info.Device == dev {
			devices = append(devices, device)
		}
	}
	return devices
}

// detachLoop takes its file from a loop device: at once, or when it is unmounted.
func detachLoop(device string) error {
	f, err := os.Open(device)
	if err != nil {
		return err
	}
	defer f.Close()
	return os.NewSyscallError("LOOP_CLR_FD", unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0))
}
