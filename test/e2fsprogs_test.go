// SPDX-License-Identifier: Apache-2.0

package test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// An e2fsprogs is the mkfs.ext4 and e2fsck of a Debian release.
type e2fsprogs struct {
	suite, version string
	dir            string // directory of the programs
}

// releases are the Debian releases whose e2fsprogs are compared, oldest first.
var releases = []string{"bullseye", "bookworm", "trixie", "sid"}

// errNotOffered means that the mirror does not have a release.
var errNotOffered = errors.New("the mirror does not have this release")

// everyE2fsprogs gets the e2fsprogs of all releases from the host's mirror.
// Releases that the mirror no longer has are left out. If a download fails, or
// fewer than two are left, it skips the test, or fails it if CI=true.
func everyE2fsprogs(t testing.TB) (all []e2fsprogs) {
	t.Helper()
	need(t, "mmdebstrap", "tar")
	found, errs := make([]e2fsprogs, len(releases)), make([]error, len(releases))
	dir := publicDir(t)
	var g errgroup.Group
	g.SetLimit(runtime.NumCPU())
	for i, suite := range releases {
		g.Go(func() error {
			found[i], errs[i] = getE2fsprogs(suite, filepath.Join(dir, suite))
			return nil
		})
	}
	g.Wait()
	var broken error
	for i, err := range errs {
		switch {
		case errors.Is(err, errNotOffered):
			t.Logf("e2fsprogs of Debian %s is not tested: %v", releases[i], err)
		case err != nil:
			broken = errors.Join(broken, err)
		default:
			t.Logf("e2fsprogs of Debian %s: %s", releases[i], found[i].version)
			all = append(all, found[i])
		}
	}
	if broken == nil && len(all) < 2 {
		broken = errNotOffered
	}
	skipOnError(t, broken)
	return all
}

// getE2fsprogs unpacks the e2fsprogs of a release into a directory. The
// programs run with that release's libraries.
func getE2fsprogs(suite, dir string) (e2fsprogs, error) {
	var from []string
	if mirror := mirror(); mirror != "" {
		from = []string{mirror}
	}
	// The mirror may be an old snapshot.
	archive, err := mmdebstrap(suite, from, "--variant=extract", "--include=e2fsprogs", `--aptopt=Acquire::Check-Valid-Until "false"`)
	if err != nil && strings.Contains(err.Error(), "does not have a Release file") {
		return e2fsprogs{}, errNotOffered
	}
	if err != nil {
		return e2fsprogs{}, fmt.Errorf("%s: %w", suite, err)
	}
	root, programs := filepath.Join(dir, "root"), e2fsprogs{suite: suite, dir: filepath.Join(dir, "bin")}
	for _, made := range []string{dir, root, programs.dir} {
		if err := os.Mkdir(made, 0o755); err != nil {
			return programs, err
		}
	}
	if out, err := exec.Command("tar", "-C", root, "--exclude=./dev", "-xf", archive).CombinedOutput(); err != nil {
		return programs, fmt.Errorf("%s: tar: %w\n%s", suite, err, out)
	}
	for _, name := range []string{"mkfs.ext4", "e2fsck"} {
		if err := programs.wrap(root, name); err != nil {
			return programs, err
		}
	}
	programs.version, err = versionOf(filepath.Join(programs.dir, "mkfs.ext4"))
	return programs, err
}

// wrap writes a script that runs a program below a root with that root's
// dynamic loader and libraries. Before trixie they may be outside /usr.
func (p e2fsprogs) wrap(root, name string) error {
	one := func(pattern string) (string, error) {
		for _, prefix := range []string{"", "usr"} {
			if found, _ := filepath.Glob(filepath.Join(root, prefix, pattern)); len(found) > 0 {
				return found[0], nil
			}
		}
		return "", fmt.Errorf("%s: no %s", p.suite, pattern)
	}
	program, err := one("sbin/" + name)
	if err != nil {
		return err
	}
	loader, err := one("lib/*-linux-gnu*/ld-linux*.so.*")
	if err != nil {
		return err
	}
	triplet := filepath.Base(filepath.Dir(loader))
	libraries := filepath.Join(root, "lib", triplet) + ":" + filepath.Join(root, "usr/lib", triplet)
	script := fmt.Sprintf("#!/bin/sh\nexec %s --library-path %s %s \"$@\"\n", loader, libraries, program)
	return os.WriteFile(filepath.Join(p.dir, name), []byte(script), 0o755)
}

// mirror returns the host's Debian mirror, or "".
func mirror() string {
	for _, file := range sources() {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "deb" && words[0] != "URIs:" {
				continue
			}
			for _, word := range words[1:] {
				if strings.Contains(word, "://") && !strings.Contains(word, "security") {
					return word
				}
			}
		}
	}
	return ""
}

// publicDir returns a directory whose programs every user can run.
func publicDir(t testing.TB) string {
	t.Helper()
	dir := scratch(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
