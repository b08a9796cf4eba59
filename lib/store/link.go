// SPDX-License-Identifier: Apache-2.0

package store

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// readOnly is the mode of the parts of a kernel. Images have hard links to them, so
// they are never changed in place.
const readOnly = 0o444

// link makes a hard link to a part of a kernel of the store, and reports whether it
// did. It makes none to a file that could be changed in place: one with write
// permission, as an older banger left, or of another user.
func link(dst string, from fs.File) bool {
	f, ok := from.(*os.File)
	if !ok {
		return false
	}
	var stat unix.Stat_t
	if unix.Fstat(int(f.Fd()), &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG ||
		stat.Mode&0o222 != 0 || int(stat.Uid) != os.Geteuid() {
		return false
	}
	// By the open file: its name may be another's by now, or a symlink's.
	return unix.Linkat(unix.AT_FDCWD, opened(f), unix.AT_FDCWD, dst, unix.AT_SYMLINK_FOLLOW) == nil
}
