// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// loadModules loads the modules of a directory in the order of their names.
// One that fails is named, and is no reason to stop: what the root filesystem
// hangs on, it will turn out.
func loadModules(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // there are none to load
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if err := loadModule(path); err != nil {
			say("%s: %v", path, err)
		}
	}
}

// loadModule loads one. It may be there already, or have nothing to drive.
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
