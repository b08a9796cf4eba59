// SPDX-License-Identifier: Apache-2.0

// Package filter is the hand-off between banger's tools, whole: an image comes
// in as an operand or a line, goes out as a line, and a failed one leaves an
// empty line. Flags, messages, signals and exit status are the same for all.
package filter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"banger/lib/status"
)

// Version is what --version prints.
const Version = "0.1.0"

// A Tool is one of banger's commands.
type Tool struct {
	Name   string
	Help   string // what --help prints before the flags
	Flags  *pflag.FlagSet
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Single refuses more than one image; flags that name one output set it.
	Single func() bool
	// Check refuses flags that do not go together.
	Check func() error
	// Mute leaves out the lines of images: what is printed is not for a pipe.
	Mute func() bool

	alone func() bool // one image at hand, as far as is known
	stdin error       // what ended standard input before its end
}

// New returns a tool on the process's own streams.
func New(name, help string) *Tool {
	t := &Tool{Name: name, Help: help, Flags: pflag.NewFlagSet(name, pflag.ContinueOnError)}
	t.Stdin, t.Stdout, t.Stderr = os.Stdin, os.Stdout, os.Stderr
	t.Flags.SetOutput(io.Discard)
	t.Flags.SortFlags = false
	t.Single = func() bool { return false }
	t.Check = func() error { return nil }
	t.Mute = func() bool { return false }
	t.alone = func() bool { return true }
	return t
}

// Each runs one after the other for every image named by an operand or a line
// of stdin, prints what it returns, and returns the exit status of the process.
func (t *Tool) Each(one func(ctx context.Context, image string) (string, error)) int {
	return t.run(func(ctx context.Context) error {
		in, err := t.images(ctx)
		if err != nil {
			return err
		}
		return t.each(ctx, in, one)
	})
}

// Run runs a tool that is not a filter with its operands.
func (t *Tool) Run(f func(ctx context.Context, args []string) error) int {
	return t.run(func(ctx context.Context) error { return f(ctx, t.Flags.Args()) })
}

// run parses the flags, watches for signals and turns errors into a status.
func (t *Tool) run(f func(ctx context.Context) error) int {
	help := t.Flags.BoolP("help", "h", false, "print this and exit")
	version := t.Flags.Bool("version", false, "print the version and exit")
	if err := t.Flags.Parse(os.Args[1:]); err != nil {
		return t.fail(Usagef("%v", err))
	}
	switch {
	case *help:
		return t.fail(t.Print(t.Help + "\nFlags:\n" + t.Flags.FlagUsages()))
	case *version:
		return t.fail(t.Print(t.Name + " " + Version + "\n"))
	}
	if err := t.Check(); err != nil {
		return t.fail(err)
	}
	ctx, stop := signals()
	defer stop()
	err := f(ctx)
	if s, ok := context.Cause(ctx).(caught); ok {
		return 128 + int(s.Signal)
	}
	return t.fail(err)
}

// Usagef is an error of somebody who used the tool wrongly.
func Usagef(format string, args ...any) error {
	return status.Errorf(status.Usage, format, args...)
}

// errSaid stands for errors that have been reported already.
type errSaid struct{ status.Code }

func (e errSaid) Error() string { return "" }

// fail reports an error, if there is one, and returns the exit status.
func (t *Tool) fail(err error) int {
	var said errSaid
	switch {
	case errors.As(err, &said):
		return int(said.Code)
	case errors.Is(err, syscall.EPIPE):
		return 128 + int(syscall.SIGPIPE)
	case err != nil:
		t.report("", err)
	}
	return int(status.Of(err))
}

// report says on stderr what failed and what to do next.
func (t *Tool) report(image string, err error) {
	text, hint := err.Error(), status.HintOf(err)
	if image != "" && !names(text, image) {
		text = image + ": " + text
	}
	if status.Of(err) == status.Usage && hint == "" {
		hint = t.Name + " --help"
	}
	text = t.Name + ": " + Printable(text) + "\n"
	if hint != "" {
		text += "hint: " + Printable(hint) + "\n"
	}
	io.WriteString(t.Stderr, text)
}

// names tells whether a message says already what image, or what file of it,
// it is about.
func names(text, image string) bool {
	rest, is := strings.CutPrefix(text, image)
	return is && rest != "" && strings.IndexByte(":/.@", rest[0]) >= 0
}

// maxText is how long a message may be, in bytes. Names in it may be of 64 KiB.
const maxText = 4096

// Printable escapes what would move a terminal's cursor, or worse, and leaves
// out the middle of what is long: messages quote registries and archives.
func Printable(text string) string {
	if len(text) > maxText {
		text = text[:maxText/2] + "..." + text[len(text)-maxText/2:]
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// Warn says something on stderr that does not stop the work.
func (t *Tool) Warn(text string) { fmt.Fprintf(t.Stderr, "%s: warning: %s\n", t.Name, Printable(text)) }

// Note says on stderr a part of what fails.
func (t *Tool) Note(text string) { fmt.Fprintf(t.Stderr, "%s: %s\n", t.Name, Printable(text)) }

// Hint says on stderr what could be done next.
func (t *Tool) Hint(text string) { fmt.Fprintf(t.Stderr, "hint: %s\n", Printable(text)) }

// Print writes to stdout, and finds out whether it arrived.
func (t *Tool) Print(text string) error {
	_, err := io.WriteString(t.Stdout, text)
	return output(err)
}

// PrintJSON writes a value to stdout, in one line.
func (t *Tool) PrintJSON(v any) error { return output(json.NewEncoder(t.Stdout).Encode(v)) }

// PrintTable writes rows to stdout, their columns one below the other.
func (t *Tool) PrintTable(rows [][]string) error {
	w := tabwriter.NewWriter(t.Stdout, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = Printable(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return output(w.Flush())
}

// OutIsTerminal reports whether stdout is a terminal, which is no place for an
// archive.
func (t *Tool) OutIsTerminal() bool { return terminal(t.Stdout) }

// Out is stdout for what is written piece by piece.
func (t *Tool) Out() io.Writer { return out{t.Stdout} }

type out struct{ io.Writer }

func (o out) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	return n, output(err)
}

// errOutput is an error of standard output, after which no image is of use.
type errOutput struct{ error }

func (e errOutput) Error() string { return "standard output: " + e.error.Error() }

func (e errOutput) Unwrap() error { return e.error }

// output says that it is standard output which failed.
func output(err error) error {
	if err == nil {
		return nil
	}
	return errOutput{unwrapPath(err)}
}

func unwrapPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// terminal reports whether a stream is one.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
