// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recipes are the SHA-256 of the image of recipeBundle, by the number of the
// recipe that image.json and FILE.json give. Other bytes need another number:
// add a line, change none.
var recipes = map[int]string{
	1: "7954b4afa1337870924ce9551fdc4c5816c41630e4da2db40800b80911c9b6fb",
}

// TestRecipe: the same input makes the same bytes, or the recipe has another
// number; and the records have all that the bytes depend on.
func TestRecipe(t *testing.T) {
	need(t, "mkfs.ext4", "jq")
	u := newUser(t, uint32(os.Getuid()))
	recipeBundle(t, filepath.Join(u.home, "x.bundle"))
	image := filepath.Join(u.home, output(t, u.command("banger-mkext4", "--size=300M", "x.bundle")))
	made := output(t, u.command("jq", "-c", "[.recipe, .options]", image+".json"))
	var recipe int
	if _, err := fmt.Sscanf(made, `[%d,`, &recipe); err != nil {
		t.Fatalf("%s: %v", made, err)
	}
	if got := hash(t, image); got != recipes[recipe] {
		t.Errorf("recipe %d makes sha256 %s, not %q: raise ext4.Recipe", recipe, got, recipes[recipe])
	}
	published := output(t, u.command("banger-register", "--name=x", image))
	if got := output(t, u.command("jq", "-c", "[.ext4.recipe, .ext4.options]", published+"/image.json")); got != made {
		t.Errorf("image.json says %s, FILE.json %s", got, made)
	}
}

// TestOptionsRecorded: the records have the options that were given.
func TestOptionsRecorded(t *testing.T) {
	need(t, "mkfs.ext4", "jq")
	u := newUser(t, uint32(os.Getuid()))
	output(t, u.command("sh", "-c", "mkdir tree && echo 1 >tree/file"))
	for flags, want := range map[string]string{
		"":                             `{"populate":"direct"}`,
		"--free=0":                     `{"populate":"direct","free":0}`,
		"--size=16M --populate=direct": `{"populate":"direct","size":16777216}`,
		"--size=min":                   `{"populate":"direct","minimal":true}`,
		"--populate=mkfs --free=1M":    `{"populate":"mkfs","free":1048576}`,
	} {
		args := append(strings.Fields(flags), "-f", "tree")
		image := output(t, u.command("banger-mkext4", args...))
		if got := output(t, u.command("jq", "-c", ".options", image+".json")); got != want {
			t.Errorf("%s: %s, want %s", flags, got, want)
		}
	}
}

// recipeBundle makes a bundle of a bit of everything: an indexed directory, a
// hole, hard links, devices, attributes in the inode, in a block and in an
// inode of their own.
func recipeBundle(t testing.TB, dir string) {
	t.Helper()
	lines := []string{". type=dir uid=0 gid=0 mode=0755 time=1700000000.000000001"}
	file := func(path, content, words string) {
		t.Helper()
		host := filepath.Join(dir, "rootfs", path)
		err := os.MkdirAll(filepath.Dir(host), 0o700)
		if err == nil {
			err = os.WriteFile(host, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(words, "type=") {
			words += fmt.Sprintf(" type=file size=%d", len(content))
		}
		lines = append(lines, "./"+path+" uid=1 gid=2 mode=0640 time=1600000000.123456789 "+words)
	}
	entry := func(line string) { lines = append(lines, line+" uid=0 gid=0 time=-1.500000000") }
	content := strings.Repeat("a", 5000) + strings.Repeat("\x00", 20000) + "b"
	file("a", content, "nlink=2")
	entry("./dir type=dir mode=01777")
	file("dir/attr", "x", "xattr.user.a=YQ==")
	file("dir/block", "x", "xattr.user.a="+strings.Repeat("YWFh", 300))
	lines = append(lines, strings.Replace(lines[1], "./a", "./dir/hard", 1))
	if err := os.Link(filepath.Join(dir, "rootfs/a"), filepath.Join(dir, "rootfs/dir/hard")); err != nil {
		t.Fatal(err)
	}
	file("dir/large", "x", "xattr.user.a="+strings.Repeat("YWFh", 3000))
	file("null", "", "type=char device=linux,1,3")
	entry("./wide type=dir mode=0700")
	for i := range 800 {
		file(fmt.Sprintf("wide/a-file-with-a-name-%04d", i), "", "")
	}
	manifest := "#mtree v2.0\n" + strings.Join(lines, "\n") + "\n"
	record := `{"version":1,"digest":"sha256:` + strings.Repeat("0", 64) + `","created":"2024-01-02T03:04:05Z"}`
	for name, content := range map[string]string{"rootfs.mtree": manifest, "image.json": record, "config.json": "{}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
