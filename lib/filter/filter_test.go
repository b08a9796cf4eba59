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

	"banger/lib/status"
)

// A run is one call of a tool that prints /out/x for x.
type run struct {
	args   []string
	stdin  io.Reader
	stdout io.Writer // instead of out
	single bool

	out, err bytes.Buffer
	worked   []string // the images that were processed
}

// do runs the tool and returns the exit status. The image bad-N fails with
// status N.
func (r *run) do(t *testing.T) int {
	t.Helper()
	saved := os.Args
	os.Args = append([]string{"banger-x"}, r.args...)
	defer func() { os.Args = saved }()
	tool := New("banger-x", "Usage: banger-x")
	tool.Stdin, tool.Stdout, tool.Stderr = r.stdin, &r.out, &r.err
	if r.stdin == nil {
		tool.Stdin = strings.NewReader("not-read\n")
	}
	if r.stdout != nil {
		tool.Stdout = r.stdout
	}
	tool.Single = func() bool { return r.single }
	return tool.Each(func(_ context.Context, image string) (string, error) {
		r.worked = append(r.worked, image)
		codes := map[string]status.Code{"bad-65": status.Bad, "bad-66": status.NoInput, "bad-75": status.Temporary}
		if code, bad := codes[image]; bad {
			return "", status.Hint(status.Errorf(code, "%s: is bad", image), "another one")
		}
		return "/out/" + image, nil
	})
}

func lines(all ...string) io.Reader { return strings.NewReader(strings.Join(all, "\n") + "\n") }

// One line is printed for each image, in order.
func TestEach(t *testing.T) {
	for _, c := range []struct {
		name string
		run  run
		code int
		out  string
		err  string // a part of it, or "" for silence
	}{
		{"operands", run{args: []string{"a", "b"}}, 0, "/out/a\n/out/b\n", ""},
		{"lines", run{stdin: lines("a", "b")}, 0, "/out/a\n/out/b\n", ""},
		{"operands before lines", run{args: []string{"a"}, stdin: lines("b")}, 0, "/out/a\n", ""},
		{"a last line without a newline", run{stdin: strings.NewReader("a\nb")}, 0, "/out/a\n/out/b\n", ""},
		{"blanks are part of the name", run{stdin: lines(" a b ")}, 0, "/out/ a b \n", ""},
		{"a failed image is an empty line, the others continue", run{stdin: lines("a", "bad-65", "b")}, 65, "/out/a\n\n/out/b\n",
			"banger-x: bad-65: is bad\nhint: another one\n"},
		{"an empty line is passed on without a message", run{stdin: lines("a", "", "b")}, 1, "/out/a\n\n/out/b\n", ""},
		{"an empty operand", run{args: []string{""}}, 1, "\n", ""},
		{"only an empty line", run{stdin: lines("")}, 1, "\n", ""},
		{"no line at all", run{stdin: strings.NewReader("")}, 66, "", "no input"},
		{"failures with the same status", run{args: []string{"bad-75", "a", "bad-75"}}, 75, "\n/out/a\n\n", "bad-75: is bad"},
		{"failures with different statuses", run{args: []string{"bad-75", "bad-65"}}, 1, "\n\n", "is bad"},
		{"an empty line and a failure", run{stdin: lines("", "bad-65")}, 1, "\n\n", "is bad"},
		{"a failure and an empty line", run{stdin: lines("bad-65", "")}, 1, "\n\n", "is bad"},
		{"one output, one operand", run{args: []string{"a"}, single: true}, 0, "/out/a\n", ""},
		{"one output, one line", run{stdin: lines("a"), single: true}, 0, "/out/a\n", ""},
		{"one output, no line", run{stdin: strings.NewReader(""), single: true}, 66, "", "no input"},
		{"one output, two operands", run{args: []string{"a", "b"}, single: true}, 64, "", "one output for 2 images"},
		{"one output, two lines", run{stdin: lines("a", "b"), single: true}, 64, "", "one output for more than one image"},
		{"an unknown flag", run{args: []string{"--none"}}, 64, "", "hint: banger-x --help"},
		{"help", run{args: []string{"--help"}}, 0, "", ""},
		{"version", run{args: []string{"--version"}}, 0, "banger-x " + version() + "\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := c.run.do(t)
			if code != c.code {
				t.Errorf("status %d, want %d", code, c.code)
			}
			if got := c.run.out.String(); got != c.out && c.name != "help" {
				t.Errorf("stdout %q, want %q", got, c.out)
			}
			if got := c.run.err.String(); c.err == "" && got != "" || !strings.Contains(got, c.err) {
				t.Errorf("stderr %q, want %q", got, c.err)
			}
			if code == 64 && len(c.run.worked) > 0 {
				t.Errorf("worked on %q", c.run.worked)
			}
		})
	}
}

// A message has the tool, the subject once, and the cause.
func TestReport(t *testing.T) {
	r := run{args: []string{"bad-66"}}
	r.do(t)
	if got := r.err.String(); got != "banger-x: bad-66: is bad\nhint: another one\n" {
		t.Errorf("%q", got)
	}
}

// A long message keeps both ends.
func TestPrintable(t *testing.T) {
	got := Printable("begin\n" + strings.Repeat("x", 64<<10) + "end")
	if !strings.HasPrefix(got, `begin\nxxx`) || !strings.HasSuffix(got, "xxxend") || len(got) > 2*maxText {
		t.Errorf("%d bytes: %.20q", len(got), got)
	}
}

// Errors of writing to stdout are reported: a full device, a closed pipe.
func TestStdoutFails(t *testing.T) {
	for errno, code := range map[syscall.Errno]int{syscall.ENOSPC: 73, syscall.EPIPE: 141, syscall.EIO: 1} {
		r := run{args: []string{"a", "b"}, stdout: failing{&os.PathError{Op: "write", Path: "/dev/stdout", Err: errno}}}
		if got := r.do(t); got != code {
			t.Errorf("%v: status %d, want %d", errno, got, code)
		}
		if len(r.worked) != 1 {
			t.Errorf("%v: worked on %q", errno, r.worked)
		}
		if stderr := r.err.String(); (stderr == "") != (errno == syscall.EPIPE) {
			t.Errorf("%v: stderr %q", errno, stderr)
		}
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	r := run{args: []string{"a"}, stdout: full}
	if got := r.do(t); got != 73 || !strings.Contains(r.err.String(), "standard output: no space left") {
		t.Errorf("/dev/full: status %d, %s", got, r.err.String())
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// An error of reading stdin is a failure, since images are lost.
func TestStdinFails(t *testing.T) {
	r := run{stdin: io.MultiReader(lines("a"), iotest.ErrReader(errors.New("input/output error")))}
	if code := r.do(t); code == 0 || !strings.Contains(r.err.String(), "input/output error") {
		t.Errorf("status %d, %q", code, r.err.String())
	}
	if got := r.out.String(); got != "/out/a\n" {
		t.Errorf("stdout %q", got)
	}
}

// A signal ends the tool with its own status and without a message.
func TestSignal(t *testing.T) {
	saved := os.Args
	os.Args = []string{"banger-x", "a", "b"}
	defer func() { os.Args = saved }()
	var out, stderr bytes.Buffer
	tool := New("banger-x", "")
	tool.Stdout, tool.Stderr = &out, &stderr
	code := tool.Each(func(ctx context.Context, image string) (string, error) {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		return "", ctx.Err()
	})
	if code != 128+15 || out.Len()+stderr.Len() > 0 {
		t.Errorf("status %d, stdout %q, stderr %q", code, out.String(), stderr.String())
	}
}

// Control characters in the cells of a table are escaped: cells may come from a
// server.
func TestPrintTable(t *testing.T) {
	var out bytes.Buffer
	tool := New("banger-x", "")
	tool.Stdout = &out
	if err := tool.PrintTable([][]string{{"NAME", "TEXT"}, {"longer", "a\x1b[2J\tb\nc"}}); err != nil {
		t.Fatal(err)
	}
	if want := "NAME    TEXT\nlonger  a\\x1b[2J\\tb\\nc\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
