// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"

	"banger/lib/kernel"
	"banger/lib/status"
)

// modulesFrom returns the directory of the kernel's modules: that in the source, or,
// if it is a whole /lib/modules, the one in it that has the kernel's release.
func (c *copier) modulesFrom(ctx context.Context) (string, error) {
	if hasModules(c.files, modulesDir) {
		return modulesDir, nil
	}
	f, err := c.files.Open(vmlinuxPart)
	if err != nil {
		return "", err
	}
	defer f.Close()
	k, err := kernel.OpenFile(ctx, f)
	if err != nil {
		return modulesDir, nil // identify reports it, or lint does
	}
	release, err := k.Release(ctx)
	if below := path.Join(modulesDir, release); err == nil && release != "" && hasModules(c.files, below) {
		return below, nil
	}
	return modulesDir, err
}

// checkDepth refuses a directory whose modules are one level too deep.
func (c *copier) checkDepth(dir string) error {
	if hasModules(c.files, dir) {
		return nil
	}
	var below []string
	entries, _ := fs.ReadDir(c.files, dir) // copying reports what is no directory
	for _, e := range entries {
		if name := path.Join(dir, e.Name()); hasModules(c.files, name) {
			below = append(below, c.host(name))
		}
	}
	if below == nil {
		return nil
	}
	err := status.Errorf(status.Bad, "%s: has no modules, but %s has", c.host(dir), strings.Join(below, " and "))
	return status.Hint(err, "name the directory of the kernel's release")
}

// hasModules reports whether a directory is one as /lib/modules/RELEASE is.
func hasModules(files fs.FS, dir string) bool {
	entries, _ := fs.ReadDir(files, dir)
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() == "kernel" || strings.HasPrefix(e.Name(), "modules.") || kernel.IsModule(e.Name())
	})
}

// host returns the path of a file for messages.
func (c *copier) host(name string) string {
	if g, ok := c.files.(given); ok {
		if path, err := g.path(name); err == nil {
			return path
		}
	}
	return name
}
