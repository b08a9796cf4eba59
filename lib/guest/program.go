// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/status"
)

// Archs are the architectures of guests.
var Archs = []string{"amd64", "arm64"}

// Installed returns the path of a file that make install puts relative to the
// running program: ../libexec/banger/NAME.
func Installed(name string) (string, error) {
	self, err := os.Executable()
	return filepath.Join(filepath.Dir(self), "../libexec/banger", name), err
}

// Program returns banger-init for an architecture, from where make install puts
// it relative to the running program: ../libexec/banger/ARCH/banger-init.
func Program(arch string) ([]byte, error) {
	path, err := Installed(filepath.Join(arch, "banger-init"))
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, status.Hint(status.Errorf(status.NoInput, "%s: not found", path), "reinstall banger: its libexec directory is missing or incomplete")
	}
	return program, err
}
