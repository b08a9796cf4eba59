// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// loadModules loads the modules in a directory in the order of their names. It
// prints errors and goes on: the root filesystem may not need the module.
func loadModules(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // no modules
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if err := loadModule(path); err != nil {
			say("%s: %v", path, err)
		}
	}
}

// loadModule loads a module. It ignores that the module is loaded already, or has
// no device.
func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.FinitModule(int(f.Fd()), "", 0)
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// modulesDir is where programs look for the modules of the kernel that runs
// (depmod(8)).
func modulesDir() string {
	var u unix.Utsname
	unix.Uname(&u)
	return "/lib/modules/" + unix.ByteSliceToString(u.Release[:])
}
