// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestByHand types the four tools one by one, as the manual does, and checks
// every line. The steps share a home and build on one another.
func TestByHand(t *testing.T) {
	u := newUser(t, nobody)
	vars := byHand(t, u)
	for _, s := range slices.Concat(handOff, whatExists, lineByLine) {
		t.Run(s.line, func(t *testing.T) { s.run(t, u, vars) })
	}
	noLeftovers(t, u)
}

// A step is a command line: what it prints, its exit status, and part of its
// stderr, "" for none at all. Variables are those of byHand.
type step struct {
	line, stdout string
	status       int
	stderr       string
}

// handOff runs the pipeline tool by tool, then as a whole.
var handOff = []step{
	{"banger-fetch $REF", "$CACHE:$REF@$DIGEST\n", 0, ""},
	{"banger-flatten $CACHE:$REF@$DIGEST", "acme-web-1.bundle\n", 0, ""},
	{"ls -A acme-web-1.bundle", "config.json\nimage.json\nrootfs\nrootfs.mtree\n", 0, ""},
	{"grep -c '^./etc/motd type=file uid=0 gid=0 mode=4755 ' acme-web-1.bundle/rootfs.mtree", "1\n", 0, ""},
	{"cat acme-web-1.bundle/rootfs/etc/motd", "hello\n", 0, ""},
	{"find acme-web-1.bundle/rootfs -type f -perm /177 -o -type d -perm /077", "", 0, ""},
	{"banger-mkext4 --size 64M acme-web-1.bundle", "acme-web-1.bundle/rootfs.ext4\n", 0, ""},
	{"banger-register acme-web-1.bundle/rootfs.ext4", "$IMAGES/acme-web-1\n", 0, "kernel"},
	{"banger-image path acme-web-1", "$IMAGES/acme-web-1\n", 0, ""},
	{"banger-flatten app:1", "app-1.bundle\n", 0, ""},
	{"cmp app-1.bundle/rootfs.mtree acme-web-1.bundle/rootfs.mtree", "", 0, ""},
	{"for r in app app@$DIGEST app:1@$DIGEST $HOME/app:1; do banger-flatten -f -o same $r && cmp same/rootfs.mtree app-1.bundle/rootfs.mtree; done",
		"same\nsame\nsame\nsame\n", 0, ""},
	{"mkdir -p pipe && banger-fetch $REF | banger-flatten -C pipe | banger-mkext4 --size 64M | banger-register --name piped",
		"$IMAGES/piped\n", 0, "kernel"},
	{"cmp $IMAGES/piped/rootfs.ext4 $IMAGES/acme-web-1/rootfs.ext4", "", 0, ""},
}

// whatExists checks that nothing is overwritten without -f, and that -f
// replaces only what banger made, as a whole.
var whatExists = []step{
	{"banger-flatten app:1", "\n", 73, "app-1.bundle: exists\nhint: -f replaces it\n"},
	{"banger-mkext4 acme-web-1.bundle", "\n", 73, "acme-web-1.bundle/rootfs.ext4: exists\nhint: -f replaces it\n"},
	{"banger-register acme-web-1.bundle/rootfs.ext4", "\n", 73, "acme-web-1: exists\nhint: -f replaces it\n"},
	{"banger-mkext4 -f --size 64M acme-web-1.bundle", "acme-web-1.bundle/rootfs.ext4\n", 0, ""},
	{"cmp acme-web-1.bundle/rootfs.ext4 $IMAGES/acme-web-1/rootfs.ext4", "", 0, ""},
	{"banger-register -f acme-web-1.bundle/rootfs.ext4", "$IMAGES/acme-web-1\n", 0, "kernel"},
	{"banger-flatten -f -o acme-web-1.bundle app:1", "acme-web-1.bundle\n", 0, ""},
	{"ls -A acme-web-1.bundle", "config.json\nimage.json\nrootfs\nrootfs.mtree\n", 0, ""},
	{"mkdir empty && banger-flatten -o empty app:1", "\n", 73, "empty: exists"},
	{"ln -s nowhere dangling && banger-flatten -o dangling app:1", "\n", 73, "dangling: exists"},
	{"mkdir mine && echo mine >mine/file && banger-flatten -f -o mine app:1", "\n", 73, "mine: "},
	{"cat mine/file", "mine\n", 0, ""},
	{"banger-mkext4 -f -o mine/file app-1.bundle", "\n", 73, "mine/file: "},
	{"cat mine/file", "mine\n", 0, ""},
	{"banger-flatten -f -o app app:1", "\n", 73, "app: "},
	{"banger-flatten -f app:1", "app-1.bundle\n", 0, ""},
}

// lineByLine checks that every input line has one output line, in order; an
// empty line is passed on silently, and no line at all is an error.
var lineByLine = []step{
	{"banger-fetch </dev/null", "", 66, "banger-fetch: "},
	{"banger-flatten </dev/null", "", 66, "banger-flatten: "},
	{"banger-mkext4 </dev/null", "", 66, "banger-mkext4: "},
	{"banger-register </dev/null", "", 66, "banger-register: "},
	{"echo | banger-fetch", "\n", 1, ""},
	{"echo | banger-flatten", "\n", 1, ""},
	{"echo | banger-mkext4", "\n", 1, ""},
	{"echo | banger-register", "\n", 1, ""},
	{"printf '\\napp:1\\n\\n' | banger-flatten -f", "\napp-1.bundle\n\n", 1, ""},
	{"printf 'app-1.bundle' | banger-mkext4 -f", "app-1.bundle/rootfs.ext4\n", 0, ""},
	{"echo nowhere:1 | banger-flatten -f app:1", "app-1.bundle\n", 0, ""},
	{"banger-flatten nowhere:1", "\n", 66, "banger-flatten: nowhere:1: "},
	{"banger-flatten -f nowhere:1 app:1 app:2", "\napp-1.bundle\n\n", 66, "banger-flatten: nowhere:1: "},
	{"banger-mkext4 nowhere", "\n", 66, "banger-mkext4: nowhere: "},
	{"banger-register nowhere", "\n", 66, "banger-register: nowhere: "},
	{"banger-flatten -o x app:1 app:1", "", 64, "banger-flatten: "},
	{"banger-flatten -o 'new\nline' app:1", "\n", 64, "banger-flatten: "},
	{"find . -name 'new?line'", "", 0, ""},
	{"banger-flatten --nope app:1", "", 64, "banger-flatten: "},
	{"banger-fetch $REF >/dev/full", "", 73, "banger-fetch: "},
}

// byHand puts a small image into a registry, and with skopeo into the layout
// `app` in the user's home. It returns the steps' variables.
func byHand(t *testing.T, u user) map[string]string {
	t.Helper()
	dir := scratch(t)
	layer := writeLayer(t, dir, 1, []entry{directory("."), directory("etc"), file("etc/motd", "hello\n").mode(0o4755)})
	img := makeImage(t, filepath.Join(dir, "layout"), "1", layer)
	ref := img.push(t, startRegistry(t), "acme/web:1")
	skopeo(t, "copy", "--quiet", "oci:"+img.String(), "oci:"+filepath.Join(u.home, "app")+":1")
	return map[string]string{
		"REF":    ref,
		"DIGEST": digestOf(t, ref),
		"CACHE":  filepath.Join(u.home, ".cache/banger/oci"),
		"IMAGES": filepath.Join(u.home, ".local/state/banger/images"),
	}
}

func (s step) run(t *testing.T, u user, vars map[string]string) {
	cmd := u.command("sh", "-c", s.line)
	for name, value := range vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != s.status {
		t.Errorf("exit status %d, want %d", got, s.status)
	}
	if want := os.Expand(s.stdout, func(name string) string { return vars[name] }); stdout.String() != want {
		t.Errorf("printed %q, want %q", stdout.String(), want)
	}
	if s.stderr == "" && stderr.Len() > 0 || !strings.Contains(stderr.String(), s.stderr) {
		t.Errorf("stderr %q, want %q", stderr.String(), s.stderr)
	}
}
