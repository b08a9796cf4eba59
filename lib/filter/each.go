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

// images yields the images to work on: operands win over lines of stdin.
func (t *Tool) images(ctx context.Context) (<-chan string, error) {
	args := t.Flags.Args()
	switch {
	case t.Single() && len(args) > 1:
		return nil, Usagef("one output for %d images", len(args))
	case len(args) == 0 && terminal(t.Stdin):
		return nil, Usagef("no operands, and standard input is a terminal")
	case len(args) == 0:
		return t.lines(ctx), nil
	}
	t.alone = func() bool { return len(args) == 1 }
	in := make(chan string, len(args))
	for _, arg := range args {
		in <- arg
	}
	close(in)
	return in, nil
}

// One returns the one input of a tool that is not a filter all through: its
// operand, else the one line of stdin.
func (t *Tool) One(ctx context.Context, operands []string) (string, error) {
	if len(operands) == 1 {
		return operands[0], nil
	}
	if terminal(t.Stdin) {
		return "", Usagef("no operand, and standard input is a terminal")
	}
	in, err := only(ctx, t.lines(ctx))
	if err != nil {
		return "", err
	}
	switch line, is := <-in; {
	case t.stdin != nil:
		return "", t.stdin
	case !is:
		return "", errNoInput
	case line == "":
		return "", errSaid{status.Failed}
	default:
		return line, nil
	}
}

// maxLine is how long a line may be, in bytes: longer than a path, a name in a
// layout and a digest together.
const maxLine = 64 << 10

// lines reads stdin ahead of the work, so as to know whether more follows.
func (t *Tool) lines(ctx context.Context) <-chan string {
	var count, ended atomic.Int64
	t.alone = func() bool { return count.Load() == 1 && ended.Load() == 1 }
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
				t.stdin = fmt.Errorf("standard input: %w", unwrapPath(err))
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

// each is the contract: one line in, one line out, in order.
func (t *Tool) each(ctx context.Context, in <-chan string, one func(context.Context, string) (string, error)) error {
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
		case image, more := <-in:
			if !more {
				return t.end(result)
			}
			out, err := t.one(ctx, image, one)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.As(err, new(errOutput)) {
				return err
			}
			result.add(err)
			if t.Mute() {
				continue
			}
			if err := t.Print(out + "\n"); err != nil {
				return err
			}
		}
	}
}

// end returns what the process is to end with, once there is no more input.
func (t *Tool) end(result tally) error {
	if t.stdin != nil {
		return t.stdin
	}
	return result.err()
}

// one works on one image. An empty line is one that failed before: it is
// passed on in silence.
func (t *Tool) one(ctx context.Context, image string, f func(context.Context, string) (string, error)) (string, error) {
	if image == "" {
		return "", errSaid{status.Failed}
	}
	out, err := f(ctx, image)
	if err != nil {
		if ctx.Err() == nil && !errors.As(err, new(errOutput)) {
			t.report(image, err)
		}
		return "", err
	}
	if terminal(t.Stderr) && !t.alone() {
		fmt.Fprintf(t.Stderr, "%s: %s\n", t.Name, filepath.Base(out))
	}
	return out, nil
}

// only waits until it is certain that there is no second image.
func only(ctx context.Context, in <-chan string) (<-chan string, error) {
	out := make(chan string, 1)
	defer close(out)
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case image, more := <-in:
			if !more {
				return out, nil
			}
			if len(out) > 0 { // how many more follow, nobody waits to see
				return nil, Usagef("one output for more than one image")
			}
			out <- image
		}
	}
}

var errNoInput = status.Errorf(status.NoInput, "no input: the tool before printed nothing")

// A tally makes one exit status of many: the code all failures share, else 1.
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

// err returns what the process is to end with.
func (r *tally) err() error {
	switch {
	case r.images == 0:
		return errNoInput
	case r.code == status.OK:
		return nil
	}
	return errSaid{r.code}
}
