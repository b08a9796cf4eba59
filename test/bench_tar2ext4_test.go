// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const tar2ext4Version = "v0.15.0"

// tar2ext4Module has hcsshim for its one dependency, so that banger's knows
// nothing of it. (go install takes no module that replaces another in its go.mod.)
const tar2ext4Module = "module bench\n\ngo 1.26\n\nrequire github.com/Microsoft/hcsshim " + tar2ext4Version + "\n"

// tar2ext4 is the path of hcsshim's program, which is built once and kept in
// the user's cache directory.
func tar2ext4() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "banger-test", "tar2ext4-"+tar2ext4Version)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	module, err := os.MkdirTemp("", "banger-test-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(module)
	if err := os.WriteFile(filepath.Join(module, "go.mod"), []byte(tar2ext4Module), 0o644); err != nil {
		return "", err
	}
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer os.Remove(temp)
	build := exec.Command("go", "build", "-mod=mod", "-o", temp, "github.com/Microsoft/hcsshim/cmd/tar2ext4")
	build.Dir = module
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if said, err := build.CombinedOutput(); err != nil {
		lines := bytes.Split(bytes.TrimSpace(said), []byte("\n"))
		return "", fmt.Errorf("go build: %w: %s", err, lines[len(lines)-1])
	}
	return path, os.Rename(temp, path)
}
