// SPDX-License-Identifier: Apache-2.0

// Package status attaches to errors the exit status of the tool, one of
// sysexits(3), and a hint that names the user's next step.
package status

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// A Code is the exit status of a process.
type Code int

// The codes, as sysexits(3) numbers them.
const (
	OK        Code = 0
	Failed    Code = 1  // any other failure, or different failures of several images
	Usage     Code = 64 // EX_USAGE: invalid flags or operands
	Bad       Code = 65 // EX_DATAERR: the image is damaged, hostile or unsupported
	NoInput   Code = 66 // EX_NOINPUT: the input does not exist
	Create    Code = 73 // EX_CANTCREAT: the output exists or cannot be made
	Temporary Code = 75 // EX_TEMPFAIL: the same command may succeed later
	Refused   Code = 77 // EX_NOPERM: authentication failed or permission denied
)

// coded is an error with a code, a hint, or both.
type coded struct {
	error
	code Code
	hint string
}

func (e *coded) Unwrap() error { return e.error }

// Errorf returns the error of fmt.Errorf with a code.
func Errorf(code Code, format string, args ...any) error {
	return &coded{error: fmt.Errorf(format, args...), code: code}
}

// With returns err with a code, unless it already has one.
func With(code Code, err error) error {
	if err == nil || Of(err) != Failed {
		return err
	}
	return &coded{error: err, code: code}
}

// CreateError returns err, an error of making a file or directory, with the code
// Create, unless permission was denied. A missing parent is not a missing input.
func CreateError(err error) error {
	if err == nil || errors.Is(err, fs.ErrPermission) {
		return err
	}
	return &coded{error: err, code: Create}
}

// Hint returns err with a hint: the next step the user can take.
func Hint(err error, format string, args ...any) error {
	return &coded{error: err, hint: fmt.Sprintf(format, args...)}
}

// HintOf returns the outermost hint of err, or "".
func HintOf(err error) string {
	for e := (*coded)(nil); errors.As(err, &e); err = e.error {
		if e.hint != "" {
			return e.hint
		}
	}
	return ""
}

// Of returns the code of err. A full disk is always Create, even where the error
// has another code.
func Of(err error) Code {
	if err == nil {
		return OK
	}
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EFBIG} {
		if errors.Is(err, full) {
			return Create
		}
	}
	rest := err
	for e := (*coded)(nil); errors.As(rest, &e); rest = e.error {
		if e.code != OK {
			return e.code
		}
	}
	return ofSystem(err)
}

// ofSystem returns the code for an error of the operating system.
func ofSystem(err error) Code {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return NoInput
	case errors.Is(err, fs.ErrExist):
		return Create
	case errors.Is(err, fs.ErrPermission):
		return Refused
	}
	return Failed
}
