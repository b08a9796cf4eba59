// SPDX-License-Identifier: Apache-2.0

package status

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestOf(t *testing.T) {
	bad := Errorf(Bad, "bad")
	full := &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for _, c := range []struct {
		name string
		err  error
		want Code
	}{
		{"none", nil, OK},
		{"any", errors.New("x"), Failed},
		{"a code", bad, Bad},
		{"wrapped", fmt.Errorf("layer: %w", bad), Bad},
		{"joined", errors.Join(errors.New("x"), bad), Bad},
		{"the outermost code", Errorf(Usage, "x: %w", bad), Usage},
		{"under a hint", Hint(bad, "do"), Bad},
		{"only a hint", Hint(errors.New("x"), "do"), Failed},
		{"not found", fs.ErrNotExist, NoInput},
		{"not found, by the system", &os.PathError{Err: syscall.ENOENT}, NoInput},
		{"exists", &os.PathError{Err: syscall.EEXIST}, Create},
		{"permission denied", &os.PathError{Err: syscall.EACCES}, Refused},
		{"a full disk", full, Create},
		{"a full disk with another code", Errorf(Bad, "layer: %w", full), Create},
		{"over quota", Errorf(Temporary, "x: %w", syscall.EDQUOT), Create},
		{"read only", syscall.EROFS, Create},
	} {
		if got := Of(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestWith(t *testing.T) {
	if With(Bad, nil) != nil {
		t.Error("nil became an error")
	}
	if got := Of(With(Bad, errors.New("x"))); got != Bad {
		t.Errorf("without a code: %d", got)
	}
	if got := Of(With(Bad, fmt.Errorf("x: %w", Errorf(Refused, "y")))); got != Refused {
		t.Errorf("with a code: %d", got)
	}
	cause := errors.New("cause")
	if err := With(Bad, cause); !errors.Is(err, cause) || err.Error() != "cause" {
		t.Errorf("%v", err)
	}
}

func TestHintOf(t *testing.T) {
	err := Hint(Errorf(Create, "x: exists"), "-f replaces %s", "it")
	for what, c := range map[string]struct {
		err  error
		want string
	}{
		"a hint":               {err, "-f replaces it"},
		"wrapped":              {fmt.Errorf("y: %w", err), "-f replaces it"},
		"the outermost":        {Hint(err, "another"), "another"},
		"none":                 {Errorf(Bad, "x"), ""},
		"no error":             {nil, ""},
		"below one without it": {Errorf(Bad, "y: %w", err), "-f replaces it"},
	} {
		if got := HintOf(c.err); got != c.want {
			t.Errorf("%s: %q", what, got)
		}
	}
	if Of(err) != Create || err.Error() != "x: exists" {
		t.Errorf("%d %v", Of(err), err)
	}
}
