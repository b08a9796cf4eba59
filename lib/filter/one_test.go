// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

// one runs a tool that takes one input and prints it.
func one(t *testing.T, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	saved := os.Args
	os.Args = append([]string{"banger-x"}, args...)
	defer func() { os.Args = saved }()
	var out, errs bytes.Buffer
	tool := New("banger-x", "Usage: banger-x")
	tool.Stdin, tool.Stdout, tool.Stderr = stdin, &out, &errs
	code = tool.Run(func(ctx context.Context, args []string) error {
		line, err := tool.One(ctx, args)
		if err == nil {
			out.WriteString("<" + line + ">")
		}
		return err
	})
	return code, out.String(), errs.String()
}

// The input is the operand or the only line of stdin, complete.
func TestOne(t *testing.T) {
	broken := iotest.ErrReader(errors.New("input/output error"))
	for _, c := range []struct {
		name  string
		stdin io.Reader
		args  []string
		code  int
		out   string
		err   string // a part of it, or "" for silence
	}{
		{"an operand", lines("not", "read"), []string{"a b"}, 0, "<a b>", ""},
		{"an operand, stdin broken", broken, []string{"a"}, 0, "<a>", ""},
		{"a line", lines("a"), nil, 0, "<a>", ""},
		{"blanks are part of it", lines(" a b "), nil, 0, "< a b >", ""},
		{"without its newline", strings.NewReader("a"), nil, 0, "<a>", ""},
		{"two lines", lines("a", "b"), nil, 64, "", "one output for more than one image"},
		{"a second one without its newline", strings.NewReader("a\nb"), nil, 64, "", "one output for more than one image"},
		{"a second one that is empty", lines("a", ""), nil, 64, "", "one output for more than one image"},
		{"no line", strings.NewReader(""), nil, 66, "", "no input"},
		{"a failure in an earlier tool, without a message", lines(""), nil, 1, "", ""},
		{"broken", broken, nil, 1, "", "standard input: input/output error"},
		{"broken after the line", io.MultiReader(lines("a"), broken), nil, 1, "", "standard input: input/output error"},
		{"broken in the line", io.MultiReader(strings.NewReader("half"), broken), nil, 1, "", "standard input: input/output error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, stderr := one(t, c.stdin, c.args...)
			if code != c.code || out != c.out {
				t.Errorf("status %d, stdout %q, want %d, %q", code, out, c.code, c.out)
			}
			if c.err == "" && stderr != "" || !strings.Contains(stderr, c.err) {
				t.Errorf("stderr %q, want %q", stderr, c.err)
			}
		})
	}
}

// A signal ends waiting for a line.
func TestOneSignal(t *testing.T) {
	in, w := io.Pipe()
	defer w.Close()
	code, out, stderr := one(t, signalling{in})
	if code != 128+15 || out+stderr != "" {
		t.Errorf("status %d, stdout %q, stderr %q", code, out, stderr)
	}
}

// signalling is a standard input without data that raises SIGTERM when read.
type signalling struct{ io.Reader }

func (s signalling) Read(p []byte) (int, error) {
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}
