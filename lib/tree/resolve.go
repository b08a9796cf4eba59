// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of names. Those of Linux are in limits.h and path_resolution(7).
const (
	maxName     = 255      // bytes of a component (NAME_MAX)
	maxPath     = 64 << 10 // bytes of a whole name in an archive
	maxDepth    = 1000     // nested directories; PATH_MAX is 4096 bytes
	maxSteps    = 1 << 26  // components of symlink targets, per tree
	maxSymlinks = 40       // followed in one resolution (MAXSYMLINKS)
	MaxTarget   = 4096 - 1 // bytes of a symlink target (PATH_MAX less the NUL)
)

// Split returns the components of a name in an archive. It removes empty
// components, "." and ".." lexically; the root is its own parent. The root has
// no components.
func Split(name string) ([]string, error) {
	parts, err := SplitLong(name)
	if err == nil {
		err = CheckNames(parts)
	}
	return parts, err
}

// CheckNames rejects components that are longer than NAME_MAX.
func CheckNames(parts []string) error {
	for _, part := range parts {
		if err := checkName(part); err != nil {
			return err
		}
	}
	return nil
}

func checkName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("name component too long: %d bytes (limit %d)", len(name), maxName)
	}
	return nil
}

// SplitLong is Split without a limit on the length of a component. Callers that
// create files must call CheckNames.
func SplitLong(name string) ([]string, error) {
	if len(name) > maxPath {
		return nil, fmt.Errorf("name too long: %d bytes (limit %d)", len(name), maxPath)
	}
	if strings.IndexByte(name, 0) >= 0 {
		return nil, errors.New("name contains a NUL")
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

// Find returns the inode at a path from Split, or nil. It follows symlinks
// inside the tree, except in the last component.
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

// Dir returns the directory at a path. It follows symlinks inside the tree, the
// last component included. For a missing name it adds the directory that missing
// returns; if missing is nil, Dir returns nil. ErrNotDir means that a component
// is not a directory.
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
			if err := checkName(name); err != nil {
				return nil, err
			}
			created, err := missing()
			if err != nil {
				return nil, err
			}
			next = created
			dir.add(name, next)
		case next.Type == Symlink:
			if links++; links > maxSymlinks {
				return nil, fmt.Errorf("too many symlinks (limit %d)", maxSymlinks)
			}
			if strings.HasPrefix(next.Target, "/") {
				dir = t.Root
			}
			steps := splitTarget(next.Target)
			if t.steps += len(steps) + len(rest); t.steps > maxSteps {
				return nil, errors.New("too many symlink steps in the image")
			}
			rest = append(steps, rest...)
			continue
		case next.Type != Dir:
			return nil, ErrNotDir
		}
		if dir = next; dir.depth > maxDepth {
			return nil, fmt.Errorf("directories nested too deep (limit %d)", maxDepth)
		}
	}
	return dir, nil
}

// splitTarget returns the components of a symlink target. Unlike Split it keeps
// "..", which may follow another symlink.
func splitTarget(target string) []string {
	var steps []string
	for step := range strings.SplitSeq(target, "/") {
		if step != "" && step != "." {
			steps = append(steps, step)
		}
	}
	return steps
}
