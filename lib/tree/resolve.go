// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of names, as Linux has them (limits.h, path_resolution(7)).
const (
	maxName     = 255      // bytes of a component (NAME_MAX)
	maxPath     = 64 << 10 // bytes of a whole name in an archive
	maxDepth    = 1000     // directories in directories; PATH_MAX is 4096 bytes
	maxSteps    = 1 << 26  // through symlinks' targets, in the life of a tree
	maxSymlinks = 40       // followed in one resolution (MAXSYMLINKS)
	MaxTarget   = 4096 - 1 // bytes of a symlink's target (PATH_MAX and its NUL)
)

// Split takes a name from an archive apart. Empty components, "." and ".." go
// lexically, the root being its own parent: what is left is a plain path from
// the root, and none of it means the root itself.
func Split(name string) ([]string, error) {
	parts, err := SplitLong(name)
	if err == nil {
		err = CheckNames(parts)
	}
	return parts, err
}

// CheckNames refuses components that are too long for a kernel.
func CheckNames(parts []string) error {
	for _, part := range parts {
		if len(part) > maxName {
			return fmt.Errorf("a component of %d bytes", len(part))
		}
	}
	return nil
}

// SplitLong is Split for names that are not to become files: a component may
// be of any length.
func SplitLong(name string) ([]string, error) {
	if len(name) > maxPath {
		return nil, fmt.Errorf("a name of %d bytes", len(name))
	}
	if strings.IndexByte(name, 0) >= 0 {
		return nil, errors.New("a name with a NUL")
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".":
		case part == "..":
			parts = parts[:max(0, len(parts)-1)]
		default:
			parts = append(parts, part)
		}
	}
	return parts, nil
}

// Find returns the inode of a path taken apart by Split, or nil. Symlinks on
// the way are followed inside the tree, the last component is not.
func (t *Tree) Find(parts []string) (*Inode, error) {
	if len(parts) == 0 {
		return t.Root, nil
	}
	dir, err := t.Dir(parts[:len(parts)-1], nil)
	if dir == nil || err != nil {
		return nil, err
	}
	return dir.Lookup(parts[len(parts)-1]), nil
}

// Dir returns the directory at a path, following symlinks inside the tree, the
// last component too. Where a name is missing, missing makes the directory, or
// says why not; with none, Dir returns nil. What is there and no directory is an error.
func (t *Tree) Dir(parts []string, missing func() (*Inode, error)) (*Inode, error) {
	dir, links := t.Root, 0
	rest := append([]string(nil), parts...)
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			dir = dir.parent
			continue
		}
		next := dir.Lookup(name)
		switch {
		case next == nil && missing == nil:
			return nil, nil
		case next == nil:
			if len(name) > maxName {
				return nil, fmt.Errorf("a component of %d bytes", len(name))
			}
			made, err := missing()
			if err != nil {
				return nil, err
			}
			next = made
			dir.add(name, next)
		case next.Type == Symlink:
			if links++; links > maxSymlinks {
				return nil, fmt.Errorf("more than %d symlinks on the way", maxSymlinks)
			}
			if strings.HasPrefix(next.Target, "/") {
				dir = t.Root
			}
			steps := splitTarget(next.Target)
			if t.steps += len(steps) + len(rest); t.steps > maxSteps {
				return nil, errors.New("too many steps through symlinks in one image")
			}
			rest = append(steps, rest...)
			continue
		case next.Type != Dir:
			return nil, ErrNotDir
		}
		if dir = next; dir.depth > maxDepth {
			return nil, fmt.Errorf("more than %d directories deep", maxDepth)
		}
	}
	return dir, nil
}

// splitTarget takes a symlink's target apart. Unlike those of a name, its ".."
// are steps of their own: they may follow another symlink.
func splitTarget(target string) []string {
	var steps []string
	for step := range strings.SplitSeq(target, "/") {
		if step != "" && step != "." {
			steps = append(steps, step)
		}
	}
	return steps
}
