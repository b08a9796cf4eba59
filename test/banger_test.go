// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var commandLine = regexp.MustCompile(`(?m)^    banger (\w+) (\w*) `)

// TestCommands: banger --help lists the commands of banger(7), in its order, and
// those are all that are installed.
func TestCommands(t *testing.T) {
	var listed []string
	for _, m := range commandLine.FindAllStringSubmatch(output(t, exec.Command(filepath.Join(bin, "banger"), "--help")), -1) {
		if m[1] != "help" {
			listed = append(listed, programFor(m[1], m[2]))
		}
	}
	page, _, _ := strings.Cut(readPage(t, "../man/banger.7"), "\n.Sh PIPELINES\n")
	var documented []string
	for _, m := range overview.FindAllStringSubmatch(page, -1) {
		if m[1] != "banger" && m[1] != "banger-init" {
			documented = append(documented, m[1])
		}
	}
	if !slices.Equal(listed, documented) {
		t.Errorf("banger --help lists %q, banger(7) %q", listed, documented)
	}
	slices.Sort(listed)
	if installed := baseNames(t, filepath.Join(bin, "banger-*"), ""); !slices.Equal(listed, installed) {
		t.Errorf("banger --help lists %q, installed are %q", listed, installed)
	}
}

// programFor returns the program that "banger A B" runs.
func programFor(a, b string) string {
	if name := "banger-" + a + "-" + b; which(filepath.Join(bin, name)) != "" {
		return name
	}
	return "banger-" + a
}

// TestHelpCommand: banger help COMMAND prints the help of the program that banger
// COMMAND runs.
func TestHelpCommand(t *testing.T) {
	banger := filepath.Join(bin, "banger")
	for args, program := range map[string]string{
		"":              "banger",
		"help":          "banger",
		"mkext4":        "banger-mkext4",
		"image":         "banger-image",
		"image list":    "banger-image",
		"image pull":    "banger-image-pull",
		"image build":   "banger-image-build",
		"kernel-debian": "banger-kernel-debian",
	} {
		got := output(t, exec.Command(banger, append([]string{"help"}, strings.Fields(args)...)...))
		if want := output(t, exec.Command(filepath.Join(bin, program), "--help")); got != want {
			t.Errorf("banger help %s printed\n%s\nwant\n%s", args, got, want)
		}
	}
	finish(t, exec.Command(banger, "help", "frobnicate")).failed(t, []int{64}, "banger", "no such command: banger-frobnicate")
}
