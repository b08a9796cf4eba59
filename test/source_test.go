// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSources gives banger-fetch and banger-flatten what the other takes, or
// neither: the hint is the command that takes it.
func TestSources(t *testing.T) {
	u := newUser(t, nobody)
	rawImage(t, filepath.Join(u.home, "lay"))
	for name, text := range map[string]string{"file.tar": "", "other": ""} {
		if err := os.WriteFile(filepath.Join(u.home, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const copied = " && banger-flatten "
	for _, c := range []struct{ tool, given, hint string }{
		{"banger-fetch", "./lay", "banger-flatten ./lay"},
		{"banger-fetch", "./lay:1", "banger-flatten ./lay:1"},
		{"banger-fetch", u.home + "/lay", "banger-flatten " + u.home + "/lay"},
		{"banger-fetch", "../" + filepath.Base(u.home) + "/lay", "banger-flatten ../" + filepath.Base(u.home) + "/lay"},
		{"banger-fetch", "./other", "banger-fetch docker-archive:./other"},
		{"banger-fetch", "./none", "banger-fetch --help"},
		{"banger-fetch", "/", "banger-fetch --help"},
		{"banger-fetch", "docker://debian", "banger-fetch debian"},
		{"banger-fetch", "docker://ghcr.io/acme/web:1", "banger-fetch ghcr.io/acme/web:1"},
		{"banger-fetch", "http://127.0.0.1:5000/web:1", "banger-fetch 127.0.0.1:5000/web:1"},
		{"banger-fetch", "https://ghcr.io/acme/web/", "banger-fetch ghcr.io/acme/web"},
		{"banger-fetch", "https://hub.docker.com/_/debian", "banger-fetch debian"},
		{"banger-fetch", "https://hub.docker.com/r/acme/web", "banger-fetch acme/web"},
		{"banger-fetch", "https://example.com/a?b=$(c)", "banger-fetch --help"},
		{"banger-fetch", "file.tar", "banger-fetch docker-archive:file.tar"},
		{"banger-fetch", "lay.tar.gz", "banger-fetch docker-archive:lay.tar.gz"},
		{"banger-fetch", "docker-daemon:app:1", "skopeo copy docker-daemon:app:1 oci:app:1" + copied + "app:1"},
		{"banger-fetch", "dir:lay", "skopeo copy dir:lay oci:lay.oci:1" + copied + "lay.oci:1"},
		{"banger-flatten", "oci:lay:1", "banger-flatten lay:1"},
		{"banger-flatten", "docker://debian", "banger-fetch debian | banger-flatten"},
		{"banger-flatten", "https://ghcr.io/acme/web:1", "banger-fetch ghcr.io/acme/web:1 | banger-flatten"},
		{"banger-flatten", "file.tar", "banger-fetch docker-archive:file.tar | banger-flatten"},
		{"banger-flatten", "./other", "banger-fetch docker-archive:./other | banger-flatten"},
		{"banger-flatten", "oci-archive:a b.tar:1", "banger-fetch 'oci-archive:a b.tar:1' | banger-flatten"},
	} {
		t.Run(c.tool+" "+c.given, func(t *testing.T) {
			o := finish(t, u.command(c.tool, c.given))
			o.failed(t, []int{64}, c.tool+": "+c.given+": ")
			if _, hint, _ := strings.Cut(o.stderr, "\nhint: "); hint != c.hint+"\n" {
				t.Errorf("hint %q, want %q", hint, c.hint)
			}
		})
	}
	o := finish(t, u.command("banger-flatten", "debian:bookworm"))
	o.failed(t, []int{66}, "banger-flatten: debian:bookworm: ")
	if !strings.HasSuffix(o.stderr, "\nhint: banger-fetch debian:bookworm | banger-flatten\n") {
		t.Errorf("hint of a reference: %q", o.stderr)
	}
}

// TestSourceHints types the hints for what is there: each works.
func TestSourceHints(t *testing.T) {
	need(t, "skopeo")
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	ref := reg.push(t, "small:1", smallImage(t))
	layout := strings.TrimPrefix(output(t, u.command("banger-fetch", ref)), u.home+"/")
	layout, _, _ = strings.Cut(layout, "@")
	skopeo := func(to string) {
		t.Helper()
		output(t, u.command("skopeo", "--insecure-policy", "copy", "--quiet", "oci:"+layout, to))
	}
	skopeo("oci:lay:1")
	skopeo("docker-archive:saved.tar:small:1")
	skopeo("oci-archive:oci.tar:1")
	skopeo("dir:dir")
	output(t, u.command("sh", "-c", "mkdir root && echo x >root/x && tar -C root -cf root.tar ."))
	policy := `mkdir -p .config/containers && echo '{"default":[{"type":"insecureAcceptAnything"}]}' >.config/containers/policy.json`
	output(t, u.command("sh", "-c", policy))
	for _, given := range []string{
		"banger-fetch ./lay", "banger-flatten oci:lay:1", "banger-fetch saved.tar", "banger-fetch ./oci.tar", "banger-fetch dir:dir",
		"banger-fetch docker://" + ref, "banger-flatten docker-archive:saved.tar", "banger-flatten root.tar", "banger-flatten docker://" + ref,
	} {
		t.Run(given, func(t *testing.T) {
			tool, source, _ := strings.Cut(given, " ")
			_, hint, _ := strings.Cut(finish(t, u.command(tool, source)).stderr, "\nhint: ")
			work := u.place(t)
			output(t, u.command("sh", "-c", "mkdir -p "+work+" && ln -sf "+u.home+"/* "+work))
			cmd := u.command("sh", "-c", "cd "+work+" && "+hint)
			output(t, cmd)
		})
	}
}
