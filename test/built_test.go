// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
)

// A goProgram is a Go program that no distribution packages.
type goProgram struct{ module, version, dir string }

var (
	tar2ext4 = goProgram{"github.com/Microsoft/hcsshim", "v0.15.0", "cmd/tar2ext4"}
	gomtree  = goProgram{"github.com/vbatts/go-mtree", "v0.7.0", "cmd/gomtree"}
)

// need returns the path of the program. If it cannot be built, for want of a
// network, it skips the test, or fails it if CI=true.
func (p goProgram) need(t testing.TB) string {
	t.Helper()
	need(t, "go")
	program, err := p.build()
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return program
}

// build builds the program once and keeps it in the user's cache directory.
func (p goProgram) build() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	program := filepath.Join(cache, "banger-test", path.Base(p.dir)+"-"+p.version)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return "", err
	}
	temp := fmt.Sprintf("%s.%d", program, os.Getpid())
	defer os.Remove(temp)
	if err := p.buildAt(temp); err != nil {
		return "", err
	}
	return program, os.Rename(temp, program)
}

// buildAt builds the program in a module of its own, so that banger's module
// does not require it. (go install rejects modules with replace directives.)
func (p goProgram) buildAt(file string) error {
	module, err := os.MkdirTemp("", "banger-test-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(module)
	text := fmt.Sprintf("module build\n\ngo 1.26\n\nrequire %s %s\n", p.module, p.version)
	if err := os.WriteFile(filepath.Join(module, "go.mod"), []byte(text), 0o644); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-mod=mod", "-o", file, p.module+"/"+p.dir)
	build.Dir = module
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		return fmt.Errorf("go build: %w: %s", err, lines[len(lines)-1])
	}
	return nil
}
