// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A completer asks a shell what the last word of each line may become. It answers
// with a line of words for each.
type completer struct {
	shell string
	args  []string
	// partial says that the shell replaces only what follows the last : or =.
	partial bool
}

var completers = []completer{
	{shell: "bash", partial: true, args: []string{"--norc", "-c", `
		for line; do
			source "$0/bash-completion/completions/${line%% *}"
			[[ $(complete -p "${line%% *}") == *"-F _banger "* ]] || echo not registered
			COMP_LINE=$line COMP_POINT=${#line}
			_banger
			echo "${COMPREPLY[@]}"
		done`}},
	{shell: "zsh", args: []string{"-f", "-c", `
		zmodload zsh/zpty
		zpty z zsh -f -i
		zpty -w z "PS1= RPS1=; unset zle_bracketed_paste; fpath=($0/zsh/site-functions \$fpath)
		autoload -Uz compinit; compinit -u -D
		insert() { _main_complete; compstate[insert]=all }; zle -C insert complete-word insert; bindkey '^I' insert
		show() { print -r -- \"<<\$BUFFER>>\"; BUFFER= }; zle -N show; bindkey '^X' show; print rea''dy"
		zpty -r z out '*ready*'
		for line; do
			zpty -w -n z "$line"$'\t\C-x'
			zpty -r z out '*<<*>>*'
			out=${${out##*<<}%%>>*}
			print -r -- "${out#"${line% *} "}"
		done`}},
	{shell: "fish", args: []string{"-c", `
		for line in $argv[2..-1]
			echo (complete -C $line | string replace -r '\t.*' '')
		end`}},
}

// TestCompletion: the shells complete flags from each tool's help, subcommands,
// and the names of what there is.
func TestCompletion(t *testing.T) {
	u, reg := newUser(t, nobody), newFaultRegistry(t)
	u.publish(t, "app", kernel(t, u.place(t)))
	u.publish(t, "other", "")
	layout := output(t, u.command("banger-fetch", reg.push(t, "acme/web:1", smallImage(t))))
	layout, _, _ = strings.Cut(layout, "@")
	_, ref, _ := strings.Cut(layout, ":")
	wants := map[string][]string{
		"banger ":                                  {"fetch", "cache", "flatten", "mkext4", "verify", "tar", "register", "image", "kernel", "boot", "ssh", "machine", "help", "--help", "--version"},
		"banger help ker":                          {"kernel"},
		"banger image ":                            {"list", "show", "path", "rm", "lint", "initrd", "build", "pull"},
		"banger-image ":                            {"list", "show", "path", "rm", "lint", "initrd"},
		"banger image show ":                       {"app", "other"},
		"banger image rm a":                        {"app"},
		"banger image lint app o":                  {"other"},
		"banger image path --":                     {"--help", "--version"},
		"banger boot --cpus 2 ":                    {"app", "other"},
		"banger boot --accel ":                     {"kvm", "tcg"},
		"banger kernel rm ":                        {"k"},
		"banger-register --kernel-ref ":            {"k"},
		"banger image pull --kernel-ref=":          {"--kernel-ref=k"},
		"banger-fetch " + ref[:3]:                  {ref},
		"banger flatten " + layout[:len(layout)-3]: {layout},
		"banger-mkext4 --populate=":                {"--populate=direct", "--populate=mkfs"},
		"banger-mkext4 -o roo":                     {"root", "root.ext4", "root.ext4.json"},
		"banger-tar roo":                           {"root"},
		"banger cache ":                            {"list", "rm", "prune", "check"},
		"banger cache rm " + ref[:3]:               {ref},
	}
	for _, tool := range baseNames(t, filepath.Join(bin, "banger-*"), "") {
		help := helpFlags(output(t, exec.Command(filepath.Join(bin, tool), "--help")))
		for i, flag := range help {
			help[i] = flag[strings.Index(flag, "--"):]
		}
		wants[tool+" --"] = help
		wants[strings.ReplaceAll(tool, "-", " ")+" --"] = help
	}
	for _, c := range completers {
		t.Run(c.shell, func(t *testing.T) { c.check(t, u, wants) })
	}
}

func (c completer) check(t *testing.T, u user, wants map[string][]string) {
	need(t, c.shell)
	var lines []string
	for line := range wants {
		lines = append(lines, line)
	}
	share := filepath.Join(bin, "../share")
	cmd := withEnv(u.command(c.shell, slices.Concat(c.args, []string{share}, lines)...), "XDG_DATA_DIRS="+share+":/usr/share", "TERM=dumb")
	answers := strings.Split(output(t, cmd), "\n")
	if len(answers) != len(lines) {
		t.Fatalf("%d lines of %d: %q", len(answers), len(lines), answers)
	}
	for i, line := range lines {
		got := strings.Fields(answers[i])
		for j := range got {
			got[j] = strings.TrimSuffix(c.whole(line, got[j]), "/")
		}
		want := slices.Sorted(slices.Values(wants[line]))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// whole returns the word that a completion of a line makes.
func (c completer) whole(line, completion string) string {
	word := line[strings.LastIndexByte(line, ' ')+1:]
	if c.partial {
		return word[:strings.LastIndexAny(word, ":=")+1] + completion
	}
	return completion
}
