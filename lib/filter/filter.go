// SPDX-License-Identifier: Apache-2.0

// Package filter implements the hand-off between banger's tools: an image is
// read as an operand or a line and printed as a line, and one that failed leaves
// an empty line. Flags, messages, signals and exit status are the same for all.
package filter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"banger/lib/status"
)

// A Tool is one of banger's commands.
type Tool struct {
	Name   string
	Help   string // what --help prints before the flags
	Flags  *pflag.FlagSet
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Single reports whether more than one image is refused, as by a flag that
	// names one output.
	Single func() bool
	// Check returns an error for flags that contradict each other.
	Check func() error
	// NoLines reports whether the lines of images are left out, as when the output
	// is not for a pipe.
	NoLines func() bool

	onlyOne  func() bool // whether there is one image, as far as is known
	stdinErr error       // the error that ended standard input early
	progress atomic.Pointer[Progress]
	image    string // the current image, as NewProgress names it
}

// New returns a tool that uses the standard streams of the process.
func New(name, help string) *Tool {
	t := &Tool{Name: name, Help: help, Flags: pflag.NewFlagSet(name, pflag.ContinueOnError)}
	t.Stdin, t.Stdout, t.Stderr = os.Stdin, os.Stdout, os.Stderr
	t.Flags.SetOutput(io.Discard)
	t.Flags.SortFlags = false
	t.Single = func() bool { return false }
	t.Check = func() error { return nil }
	t.NoLines = func() bool { return false }
	t.onlyOne = func() bool { return true }
	log.SetOutput(io.Discard) // net/http prints what servers send unasked
	return t
}

// Each calls f for every image named by an operand or a line of stdin, one after
// the other, prints what f returns, and returns the exit status of the process.
func (t *Tool) Each(f func(ctx context.Context, image string) (string, error)) int {
	return t.run(func(ctx context.Context) error {
		in, err := t.images(ctx)
		if err != nil {
			return err
		}
		return t.each(ctx, in, f)
	})
}

// Run calls f with the operands, for a tool that is not a filter, and returns
// the exit status of the process.
func (t *Tool) Run(f func(ctx context.Context, args []string) error) int {
	return t.run(func(ctx context.Context) error { return f(ctx, t.Flags.Args()) })
}

// run parses the flags, calls f with a context that signals cancel, reports its
// error and returns the exit status.
func (t *Tool) run(f func(ctx context.Context) error) int {
	help := t.Flags.BoolP("help", "h", false, "print this and exit")
	showVersion := t.Flags.Bool("version", false, "print the version and exit")
	if err := t.Flags.Parse(os.Args[1:]); err != nil {
		return t.fail(Usagef("%v", err))
	}
	switch {
	case *help:
		return t.fail(t.Print(t.Help + "\nFlags:\n" + t.Flags.FlagUsages()))
	case *showVersion:
		return t.fail(t.Print(t.Name + " " + version() + "\n"))
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

// Usagef returns an error with status.Usage.
func Usagef(format string, args ...any) error {
	return status.Errorf(status.Usage, format, args...)
}

// errReported stands for errors that have already been reported.
type errReported struct{ status.Code }

func (e errReported) Error() string { return "" }

// fail reports an error, if there is one, and returns the exit status.
func (t *Tool) fail(err error) int {
	var reported errReported
	switch {
	case errors.As(err, &reported):
		return int(reported.Code)
	case errors.Is(err, syscall.EPIPE):
		return 128 + int(syscall.SIGPIPE)
	case err != nil:
		t.report("", err)
	}
	return int(status.Of(err))
}

// report writes an error and its hint to stderr.
func (t *Tool) report(image string, err error) {
	text, hint := err.Error(), status.HintOf(err)
	if image != "" && !startsWith(text, image) {
		text = image + ": " + text
	}
	if status.Of(err) == status.Usage && hint == "" {
		hint = t.Name + " --help"
	}
	text = t.Name + ": " + Printable(text) + "\n"
	if hint != "" {
		text += "hint: " + Printable(hint) + "\n"
	}
	t.say(text)
}

// startsWith reports whether a message already starts with the image or a file
// of it.
func startsWith(text, image string) bool {
	rest, ok := strings.CutPrefix(text, image)
	return ok && rest != "" && strings.IndexByte(":/.@", rest[0]) >= 0
}

// maxText is the maximum length of a message in bytes. A name may have 64 KiB.
const maxText = 4096

// Printable escapes control characters, because messages quote registries and
// archives, and leaves out the middle of a long text.
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

// Warn writes a warning to stderr.
func (t *Tool) Warn(text string) { t.say(t.Name + ": warning: " + Printable(text) + "\n") }

// Note writes a message to stderr that is part of a failure.
func (t *Tool) Note(text string) { t.say(t.Name + ": " + Printable(text) + "\n") }

// Hint writes to stderr what the user can do next.
func (t *Tool) Hint(text string) { t.say("hint: " + Printable(text) + "\n") }

// Detail writes a line to stderr that a flag asked for.
func (t *Tool) Detail(line string) { t.say(line + "\n") }

// Print writes to stdout.
func (t *Tool) Print(text string) error {
	_, err := io.WriteString(t.Stdout, text)
	return outputError(err)
}

// PrintJSON writes a value to stdout as one line of JSON.
func (t *Tool) PrintJSON(v any) error { return outputError(json.NewEncoder(t.Stdout).Encode(v)) }

// PrintTable writes rows to stdout with aligned columns.
func (t *Tool) PrintTable(rows [][]string) error {
	w := tabwriter.NewWriter(t.Stdout, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = Printable(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return outputError(w.Flush())
}

// OutIsTerminal reports whether stdout is a terminal.
func (t *Tool) OutIsTerminal() bool { return isTerminal(t.Stdout) }

// Out returns a writer to stdout.
func (t *Tool) Out() io.Writer { return outWriter{t.Stdout} }

type outWriter struct{ io.Writer }

func (w outWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	return n, outputError(err)
}

// errOutput is an error of standard output. It ends the tool.
type errOutput struct{ error }

func (e errOutput) Error() string { return "standard output: " + e.error.Error() }

func (e errOutput) Unwrap() error { return e.error }

// outputError marks an error of standard output.
func outputError(err error) error {
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

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Exit returns an error that ends the process with a status and without a
// message, nil for 0.
func Exit(code int) error {
	if code == 0 {
		return nil
	}
	return errReported{status.Code(code)}
}

// Terminal reports whether a stream is a terminal.
func Terminal(stream any) bool { return isTerminal(stream) }
