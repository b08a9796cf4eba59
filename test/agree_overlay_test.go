// SPDX-License-Identifier: Apache-2.0

package test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// writeOverlay writes the layer as an overlayfs layer directory (the kernel's
// Documentation/filesystems/overlayfs.rst): a whiteout is a 0/0 character
// device, an opaque directory has an xattr.
func (l *layerPlan) writeOverlay(t *testing.T, root string) {
	t.Helper()
	o := overlayDir{t, root}
	o.must(os.Mkdir(root, 0o755))
	for _, c := range l.changes {
		o.change(c)
	}
	// Last: creating a file in a directory changes the directory's mtime.
	walk(t, root, func(path string, e os.DirEntry) error {
		if name, err := filepath.Rel(root, path); err != nil || e.IsDir() {
			o.must(err)
			o.setMetadata(path, l.dirs[name])
		}
		return nil
	})
}

// An overlayDir is an overlayfs layer directory.
type overlayDir struct {
	t    *testing.T
	root string
}

func (o overlayDir) must(err error) {
	if err != nil {
		o.t.Helper()
		o.t.Fatal(err)
	}
}

func (o overlayDir) change(c change) {
	o.t.Helper()
	path := filepath.Join(o.root, c.path)
	o.must(os.MkdirAll(filepath.Dir(path), 0o700))
	switch {
	case c.opaque:
		o.must(os.RemoveAll(path))
		o.must(os.MkdirAll(path, 0o700))
		o.setOpaque(path)
		return
	case c.merged:
		o.must(os.MkdirAll(path, 0o700))
		return
	}
	o.must(os.RemoveAll(path))
	switch {
	case c.made == nil:
		o.must(unix.Mknod(path, unix.S_IFCHR, 0))
	case c.link != "":
		o.must(os.Link(filepath.Join(o.root, c.link), path))
	default:
		o.create(path, c.made)
	}
}

// setOpaque makes a directory opaque.
func (o overlayDir) setOpaque(dir string) {
	o.t.Helper()
	o.must(unix.Lsetxattr(dir, "trusted.overlay.opaque", []byte("y"), 0))
}

// create creates the file of an entry.
func (o overlayDir) create(path string, e *entry) {
	o.t.Helper()
	device := int(unix.Mkdev(uint32(e.Devmajor), uint32(e.Devminor)))
	switch e.Typeflag {
	case tar.TypeDir:
		o.must(os.Mkdir(path, 0o700))
		o.setOpaque(path)
		return // writeOverlay sets its metadata
	case tar.TypeReg:
		o.must(os.WriteFile(path, []byte(e.data), 0o600))
	case tar.TypeSymlink:
		o.must(os.Symlink(e.Linkname, path))
	case tar.TypeChar:
		o.must(unix.Mknod(path, unix.S_IFCHR, device))
	case tar.TypeBlock:
		o.must(unix.Mknod(path, unix.S_IFBLK, device))
	case tar.TypeFifo:
		o.must(unix.Mknod(path, unix.S_IFIFO, 0))
	}
	o.setMetadata(path, e)
}

// setMetadata sets the metadata of an entry on a path.
func (o overlayDir) setMetadata(path string, e *entry) {
	o.t.Helper()
	if e == nil {
		o.t.Fatalf("%q: no entry", path)
	}
	o.must(os.Lchown(path, e.Uid, e.Gid)) // first: chown clears capabilities and setuid
	for key, value := range e.PAXRecords {
		o.must(unix.Lsetxattr(path, strings.TrimPrefix(key, "SCHILY.xattr."), []byte(value), 0))
	}
	if e.Typeflag != tar.TypeSymlink {
		o.must(unix.Chmod(path, uint32(e.Mode)))
	}
	when, err := unix.TimeToTimespec(e.ModTime)
	o.must(err)
	o.must(unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW))
}
