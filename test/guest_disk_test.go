// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

// sameDisk checks that a disk holds what the image holds, and what was added:
// "dir", the target of a symlink, or "tree", by path. The kernel mounts both. The times
// of directories change with their entries.
func sameDisk(t *testing.T, disk, image string, added map[string]string) {
	t.Helper()
	got, want := withoutDirTimes(readTree(t, mount(t, disk))), withoutDirTimes(readTree(t, mount(t, image)))
	for path, what := range added {
		if what == "tree" {
			maps.DeleteFunc(got, func(name string, _ facts) bool { return name == path || strings.HasPrefix(name, path+"/") })
			continue
		}
		f := facts{"type": "link", "link": what, "mode": "0777", "owner": "0:0", "names": fmt.Sprintf("%q", []string{path})}
		if what == "dir" {
			delete(f, "link")
			f["type"], f["mode"] = "dir", "0755"
		}
		want[path] = f
		delete(got[path], "mtime")
	}
	sameTree(t, got, want)
}
