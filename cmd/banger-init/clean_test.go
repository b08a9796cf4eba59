// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// The disk of a build has what the script made, and nothing of the machine, below all
// that was mounted, and read-only. That of a script that fails is left as it is.
func TestBuild(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		status string
		says   string // a tmpfs has no free blocks to give back
		want   map[string]string
	}{
		"succeeds": {`mount -t tmpfs none /srv; echo lost >/srv/lost
			mount -t tmpfs none /etc; echo lost >/etc/lost; mount --bind /tmp /tmp
			mkdir /kept; echo kept >/kept/file; echo 0123 >/id; mount --move /etc /kept; cp /id /etc/machine-id; rm /id
			sleep 1000 & umount -l /proc`, "EXIT_STATUS=0", "the free blocks stay in the image: the kernel cannot discard them\n",
			map[string]string{"kept": "dir", "kept/file": "kept\n", "etc/machine-id": "", "etc/hosts": ""}},
		"fails": {"rm /etc/machine-id; exit 7", "EXIT_STATUS=7", "",
			map[string]string{"etc/hosts": "-> " + hostsFile, "srv": "dir", "srv/wd": "dir", "run/.banger-hosts": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			o := box{
				Wishes: guest.Machine{Build: true, Args: shell(c.script)}, Config: v1.ImageConfig{WorkingDir: "/srv/wd"},
				Files: map[string]string{"etc/hosts": "", "etc/machine-id": ""},
			}.run(t, nil)
			if last(o.status) != c.status {
				t.Errorf("%q, want %s", o.status, c.status)
			}
			if !strings.Contains(o.said, c.says) {
				t.Errorf("said %q, want %q", o.said, c.says)
			}
			got := map[string]string{}
			for name, f := range snapshot(t, o.disk) {
				if top, _, _ := strings.Cut(name, "/"); top == "etc" || top == "kept" || top == "srv" || top == "run" {
					got[name] = f.what
				}
			}
			c.want["etc"], c.want["run"] = "dir", "dir"
			if !maps.Equal(got, c.want) {
				t.Errorf("%q\nnot\n%q", got, c.want)
			}
			if err := os.WriteFile(filepath.Join(o.disk, "more"), nil, 0o644); !errors.Is(err, unix.EROFS) {
				t.Errorf("the disk can be written to: %v", err)
			}
		})
	}
}
