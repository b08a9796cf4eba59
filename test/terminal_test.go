// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// TestTerminal: on a terminal several images have a line each when they are
// finished, one image has a line while it is worked on. Both name the image,
// and neither is wider than the terminal. A log file gets no such line.
// Of the title of one image, 17 characters are shown at least: how many more
// depends on the figures.
func TestTerminal(t *testing.T) {
	need(t, "script", "stty", "mkfs.ext4")
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	one, two := reg.push(t, "acme/one:1", smallVariant(t, 1)), reg.push(t, "acme/two:1", smallVariant(t, 2))
	long := reg.push(t, "acme/"+strings.Repeat("long", 25)+":1", smallVariant(t, 3))
	for _, columns := range []int{80, 40} {
		for _, c := range []struct {
			name, command string
			lines         []string
		}{
			{"fetch", "banger-fetch " + one + " " + two, []string{"banger-fetch: " + one, "banger-fetch: " + two}},
			{"flatten", "banger-fetch 2>log " + one + " " + two + " | banger-flatten -f", []string{"banger-flatten: acme-one-1.bundle", "banger-flatten: acme-two-1.bundle"}},
			{"mkext4", "banger-mkext4 -f acme-one-1.bundle acme-two-1.bundle", []string{"banger-mkext4: acme-one-1.bundle", "banger-mkext4: acme-two-1.bundle"}},
			{"verify", "banger-verify acme-*/rootfs.ext4", []string{"banger-verify: acme-one-1.bundle", "banger-verify: acme-two-1.bundle"}},
			{"long", "banger-fetch " + one + " " + long, []string{"banger-fetch: " + long}},
			{"one fetch", "rm -r .cache; banger-fetch " + long, []string{"fetching 127.0.0."}},
			{"one flatten", `line=$(banger-fetch 2>log ` + one + `) && banger-flatten -f "$line"`, []string{"flattening acme-o"}},
			{"one mkext4", "banger-mkext4 -f acme-one-1.bundle", []string{"making acme-one-1"}},
			{"one verify", "banger-verify acme-one-1.bundle/rootfs.ext4", []string{"verifying acme-on"}},
		} {
			t.Run(fmt.Sprint(c.name, " ", columns), func(t *testing.T) {
				shown := u.onTerminal(t, columns, c.command)
				for _, want := range c.lines {
					if len(want) >= columns {
						want = want[:columns-4] + "..."
					}
					if !strings.Contains(shown, want) {
						t.Errorf("not shown: %q\n%q", want, shown)
					}
				}
				for _, line := range strings.FieldsFunc(shown, func(r rune) bool { return r == '\r' || r == '\n' }) {
					if len(line) >= columns || strings.ContainsFunc(line, unicode.IsControl) {
						t.Errorf("%d columns: %q", len(line), line)
					}
				}
			})
		}
	}
	for _, command := range []string{"banger-fetch " + one, "banger-mkext4 -f acme-one-1.bundle", "banger-mkext4 -f acme-one-1.bundle acme-two-1.bundle"} {
		if o := finish(t, u.command("sh", "-c", command)); o.code != 0 || o.stderr != "" {
			t.Errorf("%s: exit status %d, in the log: %q", command, o.code, o.stderr)
		}
	}
}

// onTerminal runs a command whose standard error is a terminal and returns what
// it shows. Standard output is a file.
func (u user) onTerminal(t *testing.T, columns int, command string) string {
	t.Helper()
	command = fmt.Sprintf("stty cols %d; exec </dev/null; { %s; } >out", columns, command)
	cmd := u.command("script", "--quiet", "--return", "--command", command, filepath.Join(u.home, "typescript"))
	cmd.Env = append(cmd.Env, "SHELL=/bin/sh", "NO_COLOR=1")
	o := finish(t, cmd)
	if o.code != 0 {
		t.Fatalf("%s: exit status %d\n%s%s", command, o.code, o.stdout, o.stderr)
	}
	return o.stdout
}
