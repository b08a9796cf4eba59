// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"banger/lib/ext4"
	"banger/lib/status"
)

// FuzzManifest makes an image of a bundle with any manifest. The result must be an
// image that e2fsck accepts, or an error about the manifest and no image.
func FuzzManifest(f *testing.F) {
	e2fsck, err := exec.LookPath("/usr/sbin/e2fsck")
	if err != nil {
		if os.Getenv("CI") == "true" {
			f.Fatal(err)
		}
		f.Skip(err)
	}
	mkfs, err := ext4.FindMkfs(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	fixture := newFixture(f, sample(f))
	bundle, err := fixture.create(f, fixture.image(f))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(bundle, ManifestFile))
	if err != nil {
		f.Fatal(err)
	}
	whole := string(raw)
	for _, edit := range []*strings.Replacer{
		strings.NewReplacer(), strings.NewReplacer("uid=0", "uid=4294967294"), strings.NewReplacer("time=1", "time=-1"),
		strings.NewReplacer("type=char", "type=fifo", "device=linux,1,3", ""), strings.NewReplacer("mode=", "xattr.user.x=AAAA mode="),
		strings.NewReplacer("device=linux,1,3", "device=linux,4095,1048575"), strings.NewReplacer("nlink=2", "nlink=1"),
		strings.NewReplacer("type=file", "xattr.trusted.x="+strings.Repeat("QUFB", 3000)+" type=file"),
	} {
		f.Add(edit.Replace(whole))
	}
	f.Fuzz(func(t *testing.T, manifest string) {
		write(t, filepath.Join(bundle, ManifestFile), manifest)
		s, err := Open(context.Background(), bundle, nil, nil)
		dst := filepath.Join(t.TempDir(), "x.ext4")
		if err == nil {
			o := Ext4Options{Options: ext4.Options{Minimal: true}, Mkfs: mkfs}
			err = s.WriteExt4(context.Background(), dst, o)
		}
		if err != nil {
			if status.Of(err) != status.Bad {
				t.Errorf("status %d: %v", status.Of(err), err)
			}
			if _, err := os.Stat(dst); err == nil {
				t.Error("image exists after an error")
			}
			return
		}
		if out, err := exec.Command(e2fsck, "-fn", dst).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}
