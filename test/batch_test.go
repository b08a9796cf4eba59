// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBatch sends five references down one pipeline; the third names an image
// that does not exist. The last image's blob is held back until the first image
// is published: a stage that waited for its predecessor to end would hang.
func TestBatch(t *testing.T) {
	need(t, "dash", "mkfs.ext4")
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	var refs []string
	for n := range 5 {
		refs = append(refs, reg.push(t, fmt.Sprintf("batch:%d", n+1), smallVariant(t, n)))
	}
	refs[2] = reg.host + "/nothing:3"
	release := make(chan struct{})
	reg.misbehave(onGet(ownLayer(t, 4), hold(release)))

	output(t, u.command("mkdir", "-p", "bundles"))
	output(t, u.command("banger-kernel", "add", "small", kernel(t, u.place(t))))
	cmd := u.command("dash", "-c", "banger-fetch | banger-flatten -C bundles |"+
		" banger-mkext4 --size "+diskSize+" | banger-register --kernel-ref small")
	cmd.Stdin = strings.NewReader(strings.Join(refs, "\n") + "\n")
	end := begin(t, cmd)
	images := filepath.Join(u.home, ".local/state/banger/images")
	await(t, "the first image to be published during the last fetch", func() bool {
		_, err := os.Stat(filepath.Join(images, "batch-1/image.json"))
		return err == nil
	})
	if _, err := os.Stat(filepath.Join(images, "batch-5")); err == nil {
		t.Error("the last image is published before its blob was sent")
	}
	close(release)
	checkBatch(t, end(), images, refs)
	nothingLeft(t, u.home)
}

func checkBatch(t *testing.T, o outcome, images string, refs []string) {
	t.Helper()
	if o.code != 1 {
		t.Errorf("exit status %d, want 1", o.code)
	}
	var want strings.Builder
	for n := range refs {
		if n != 2 {
			want.WriteString(filepath.Join(images, fmt.Sprintf("batch-%d", n+1)))
		}
		want.WriteString("\n")
	}
	if o.stdout != want.String() {
		t.Errorf("printed\n%swant\n%s", o.stdout, want.String())
	}
	oneMessage(t, o.stderr, "banger-fetch: "+refs[2]+": ")
	for n := range refs {
		record, err := os.ReadFile(filepath.Join(images, fmt.Sprintf("batch-%d", n+1), "image.json"))
		if ok := err == nil; ok != (n != 2) || ok && !strings.Contains(string(record), refs[n]) {
			t.Errorf("record of %s: %v %s", refs[n], err, record)
		}
	}
}
