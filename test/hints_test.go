// SPDX-License-Identifier: Apache-2.0

package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestHints collects the messages of the tools and scripts from their sources.
// Each command of banger that a message names exists and has the flags it is
// shown with. Commands that are shown with their operands are run, with names
// that nothing has: none of them is a usage error. A flag that a hint names
// alone is one of the tool's own.
func TestHints(t *testing.T) {
	u := newUser(t, nobody)
	messages := append(goMessages(t), scriptMessages(t)...)
	var tried int
	for _, m := range messages {
		for _, c := range m.commands() {
			tried += c.try(t, u, m)
		}
		if m.hint {
			m.ownFlags(t)
		}
	}
	if tried < 10 {
		t.Errorf("only %d commands found to be run", tried)
	}
}

// A message is a string of a source file.
type message struct {
	file, text string
	hint       bool // an argument of a function for hints
}

// goMessages returns the strings of lib and cmd that fit on a line.
func goMessages(t *testing.T) (found []message) {
	t.Helper()
	var files []string
	for _, pattern := range []string{"../cmd/*/*.go", "../lib/*/*.go"} {
		some, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some...)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		hints := map[ast.Node]bool{}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Hint" && len(n.Args) > 1 {
					hints[n.Args[1]] = true
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && !strings.Contains(strings.TrimSuffix(text, "\n"), "\n") {
					found = append(found, message{file, text, hints[n]})
				}
			}
			return true
		})
	}
	return found
}

var (
	hereDocument = regexp.MustCompile(`(?s)<<'?EOF'?\n.*?\nEOF\n`)
	shellMessage = regexp.MustCompile(`(?m)^[^#\n]*?\b(hint|say|wrong|without|own|parents|echo|printf)\b(.*)$`)
	shellString  = regexp.MustCompile(`'([^'\n]*)'|"((?:[^"\\\n]|\\.)*)"`)
)

// scriptMessages returns the strings that the scripts print, but for their help.
func scriptMessages(t *testing.T) (found []message) {
	t.Helper()
	files, err := filepath.Glob("../scripts/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		script := hereDocument.ReplaceAllString(readPage(t, file), "\n")
		for _, m := range shellMessage.FindAllStringSubmatch(script, -1) {
			for _, s := range shellString.FindAllStringSubmatch(m[2], -1) {
				found = append(found, message{file, s[1] + s[2], m[1] == "hint"})
			}
		}
	}
	return found
}

// A shown is a command of banger in a message, as words.
type shown []string

var (
	command  = regexp.MustCompile(`(?:^|[^\w/.-])(banger[ -][a-z%][^;,|>)&]*)`)
	stand    = regexp.MustCompile(`^%[sq]|^\$|^[A-Z]+[A-Z|.]*$|/%s`) // a word that stands for a value
	flagWord = regexp.MustCompile(`^--?[a-z][a-z-]*`)
	allWords = regexp.MustCompile(`^banger( %s)+$`) // a command of values only, which say nothing here
)

// commands returns the commands that a message names with arguments. A string
// that ends with a space goes on with a value.
func (m message) commands() (found []shown) {
	text := m.text
	if allWords.MatchString(text) {
		return nil
	}
	if strings.HasSuffix(text, " ") {
		text += "NAME"
	}
	for _, c := range command.FindAllStringSubmatch(strings.ReplaceAll(text, "banger %s ", "banger image "), -1) {
		clause, _, _ := strings.Cut(c[1], " or ")
		clause, _, _ = strings.Cut(clause, ":")
		if words := strings.Fields(clause); len(words) > 1 && words[0] != "banger-init" { // which only a guest runs
			found = append(found, words)
		}
	}
	return found
}

// try looks at a command, and runs it, if it can. It returns how many were run.
func (s shown) try(t *testing.T, u user, m message) int {
	t.Helper()
	program, args := s.resolve()
	if which(filepath.Join(bin, program)) == "" {
		t.Errorf("%s: %q: no command %s", m.file, m.text, program)
		return 0
	}
	args, whole := operands(program, args)
	for _, a := range args {
		if flag := flagWord.FindString(a); flag != "" && !hasFlag(program, flag) {
			t.Errorf("%s: %q: %s has no flag %s", m.file, m.text, program, flag)
			return 0
		}
	}
	asks := slices.Contains(args, "pull") || program == "banger-image-pull" || program == "banger-fetch" && !slices.Contains(args, "--platform")
	if !whole || asks { // a registry or a catalog
		return 0
	}
	if o := finish(t, u.command(program, args...)); o.code == 64 {
		t.Errorf("%s: %q: %s %s is a usage error: %s", m.file, m.text, program, strings.Join(args, " "), o.stderr)
	}
	return 1
}

// operands returns the words before the sentence goes on, with names that nothing
// has in the place of values. It reports whether they are a whole command: the
// sentence ends with them, or they end with a flag or value.
func operands(program string, words []string) (args []string, whole bool) {
	for i, w := range words {
		switch {
		case w == "--" || flagWord.MatchString(w):
			args = append(args, w)
		case strings.Contains(w, "linux/%s"):
			args = append(args, "linux/amd64")
		case stand.MatchString(w):
			args = append(args, "none")
		case i == 0 && strings.Contains(help(program), program+" "+w+" "): // a subcommand
			args = append(args, w)
		default:
			return args, i > 1 || i == 1 && flagWord.MatchString(args[0])
		}
	}
	return args, true
}

// resolve returns the program that a command runs, and its arguments.
func (s shown) resolve() (string, []string) {
	if s[0] != "banger" {
		return s[0], s[1:]
	}
	if strings.HasPrefix(s[1], "-") || s[1] == "help" {
		return "banger", s[1:]
	}
	second := ""
	if len(s) > 2 {
		second = s[2]
	}
	program := programFor(s[1], second)
	if program == "banger-"+s[1] {
		return program, s[2:]
	}
	return program, s[3:]
}

// ownFlags checks the flags that a hint of a tool names without a command.
func (m message) ownFlags(t *testing.T) {
	t.Helper()
	tools := baseNames(t, filepath.Join(bin, "banger-*"), "")
	switch dir, base := filepath.Base(filepath.Dir(m.file)), filepath.Base(m.file); {
	case slices.Contains(tools, dir):
		tools = []string{dir}
	case slices.Contains(tools, base):
		tools = []string{base}
	case dir == "scripts": // a part of banger-boot's
		tools = []string{"banger-boot"}
	}
	for _, word := range strings.FieldsFunc(command.ReplaceAllString(m.text, ""), func(r rune) bool { return strings.ContainsRune(" ,;", r) }) {
		if flag := flagWord.FindString(word); flag != "" && flag == word && !slices.ContainsFunc(tools, func(tool string) bool {
			return hasFlag(tool, flag)
		}) {
			t.Errorf("%s: %q: %s is no flag of %q", m.file, m.text, flag, tools)
		}
	}
}

// helps are what --help of each tool prints.
var helps = map[string]string{}

func help(program string) string {
	if helps[program] == "" {
		text, _ := exec.Command(filepath.Join(bin, program), "--help").Output()
		helps[program] = string(text)
	}
	return helps[program]
}

// hasFlag reports whether a tool's help lists a flag.
func hasFlag(program, flag string) bool {
	return slices.ContainsFunc(helpFlags(help(program)), func(f string) bool {
		return slices.Contains(strings.Split(f, ", "), flag)
	})
}
