// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"

	"banger/lib/input"
	"banger/lib/status"
)

// images returns the images to process: the operands or, if there are none, the
// lines of stdin.
func (t *Tool) images(ctx context.Context) (<-chan string, error) {
	args := t.Flags.Args()
	switch {
	case t.Single() && len(args) > 1:
		return nil, Usagef("one output for %d images", len(args))
	case len(args) == 0 && isTerminal(t.Stdin):
		return nil, Usagef("no operands, and standard input is a terminal")
	case len(args) == 0:
		return t.lines(ctx), nil
	}
	t.onlyOne = func() bool { return len(args) == 1 }
	in := make(chan string, len(args))
	for _, arg := range args {
		in <- arg
	}
	close(in)
	return in, nil
}

// One returns the input of a tool that takes a single one: its operand, else the
// only line of stdin.
func (t *Tool) One(ctx context.Context, operands []string) (string, error) {
	if len(operands) == 1 {
		return operands[0], nil
	}
	if isTerminal(t.Stdin) {
		return "", Usagef("no operand, and standard input is a terminal")
	}
	in, err := only(ctx, t.lines(ctx))
	if err != nil {
		return "", err
	}
	switch line, ok := <-in; {
	case t.stdinErr != nil:
		return "", t.stdinErr
	case !ok:
		return "", errNoInput
	case line == "":
		return "", errReported{status.Failed}
	default:
		return line, nil
	}
}

// maxLine is the maximum length of a line in bytes: more than a path, a name in
// a layout and a digest need together.
const maxLine = 64 << 10

// lines reads stdin ahead of the work, to know whether more lines follow.
func (t *Tool) lines(ctx context.Context) <-chan string {
	var count, ended atomic.Int64
	t.onlyOne = func() bool { return count.Load() == 1 && ended.Load() == 1 }
	in := make(chan string, 1024)
	go func() {
		defer close(in)
		r := input.NewLines(t.Stdin, maxLine)
		for {
			line, err := r.Next()
			if err == io.EOF {
				ended.Store(1)
				return
			}
			if err != nil {
				t.stdinErr = fmt.Errorf("standard input: %w", unwrapPath(err))
				return
			}
			count.Add(1)
			select {
			case in <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	return in
}

// each calls f for each image and prints one line for each, in order.
func (t *Tool) each(ctx context.Context, in <-chan string, f func(context.Context, string) (string, error)) error {
	if t.Single() {
		var err error
		if in, err = only(ctx, in); err != nil {
			return err
		}
	}
	var result tally
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case image, ok := <-in:
			if !ok {
				return t.end(result)
			}
			out, err := t.one(ctx, image, f)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.As(err, new(errOutput)) {
				return err
			}
			result.add(err)
			if t.NoLines() {
				continue
			}
			if err := t.Print(out + "\n"); err != nil {
				return err
			}
		}
	}
}

// end returns the error of the tool after the last image.
func (t *Tool) end(result tally) error {
	if t.stdinErr != nil {
		return t.stdinErr
	}
	return result.err()
}

// one calls f for one image and reports its error. An empty line stands for an
// image that failed in an earlier tool: it is passed on without a message.
func (t *Tool) one(ctx context.Context, image string, f func(context.Context, string) (string, error)) (string, error) {
	if image == "" {
		return "", errReported{status.Failed}
	}
	t.image = ""
	out, err := f(ctx, image)
	if err != nil {
		if ctx.Err() == nil && !errors.As(err, new(errOutput)) {
			t.report(image, err)
		}
		return "", err
	}
	if isTerminal(t.Stderr) && !t.onlyOne() {
		t.finished(out)
	}
	return out, nil
}

// finished writes the line of a finished image to a terminal.
func (t *Tool) finished(out string) {
	name := t.image
	if name == "" {
		name = filepath.Base(out)
	}
	t.say(cut(t.Name+": "+Printable(name), columns(t.Stderr)) + "\n")
}

// only waits for the end of in and returns its one image, or an error if there
// are more.
func only(ctx context.Context, in <-chan string) (<-chan string, error) {
	out := make(chan string, 1)
	defer close(out)
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case image, ok := <-in:
			if !ok {
				return out, nil
			}
			if len(out) > 0 { // the rest is not counted
				return nil, Usagef("one output for more than one image")
			}
			out <- image
		}
	}
}

var errNoInput = status.Errorf(status.NoInput, "no input: the previous tool printed nothing")

// A tally combines the results of images: the code that all failures share,
// else status.Failed.
type tally struct {
	images int
	code   status.Code
}

func (r *tally) add(err error) {
	r.images++
	switch code := status.Of(err); {
	case err == nil:
	case r.code == status.OK || r.code == code:
		r.code = code
	default:
		r.code = status.Failed
	}
}

// err returns the error of the tool.
func (r *tally) err() error {
	switch {
	case r.images == 0:
		return errNoInput
	case r.code == status.OK:
		return nil
	}
	return errReported{r.code}
}
