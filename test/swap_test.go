// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSwapped replaces files while mkfs.ext4 -d, which opens them by name,
// reads the tree. It is an error that names the path, and there is no image.
func TestSwapped(t *testing.T) {
	need(t, "mkfs.ext4")
	for name, swap := range map[string]string{
		"content":   "cp other tree/sub/f",
		"symlink":   "rm tree/sub/f && ln -s ../../other tree/sub/f",
		"directory": "mkdir sub && cp other sub/f && rm -r tree/sub && ln -s ../sub tree/sub",
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t, uint32(os.Getuid()))
			output(t, u.command("sh", "-c", "mkdir -p tree/sub tools && echo right >tree/sub/f && echo wrong >other && touch -r tree/sub/f other"))
			// Swap only while mkfs.ext4 populates the filesystem, and restore.
			script := "#!/bin/sh\ncase \" $* \" in *' -d '*) (cd " + u.home + " && cp -a tree/sub kept && " + swap + ") || exit ;; esac\n" +
				which("mkfs.ext4") + " \"$@\"\nstatus=$?\ncd " + u.home + " && [ ! -d kept ] || { rm -r tree/sub && mv kept tree/sub && : >swapped; }\nexit $status\n"
			if err := os.WriteFile(filepath.Join(u.home, "tools/mkfs.ext4"), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := u.command("banger-mkext4", "--populate=mkfs", "--size=16M", "tree")
			o := finish(t, withEnv(cmd, "PATH="+u.home+"/tools:/usr/bin:/bin"))
			o.failed(t, []int{1}, "banger-mkext4: tree: ")
			if name == "content" && !strings.Contains(o.stderr, "./sub/f: changed while being read (content)") {
				t.Error(o.stderr)
			}
			if _, err := os.Stat(filepath.Join(u.home, "swapped")); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(filepath.Join(u.home, "tree.ext4")); !os.IsNotExist(err) {
				t.Errorf("an image was made: %v", err)
			}
			output(t, u.command("banger-mkext4", "--populate=mkfs", "--size=16M", "tree"))
		})
	}
}
