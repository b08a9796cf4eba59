// SPDX-License-Identifier: Apache-2.0

// Package status gives errors the exit status a tool ends with, in the words
// of sysexits(3), and the hint that names the user's next step.
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
	Failed    Code = 1  // anything else, or images that failed for different reasons
	Usage     Code = 64 // EX_USAGE: flags or operands that make no sense
	Bad       Code = 65 // EX_DATAERR: the image is damaged, hostile or unsupported
	NoInput   Code = 66 // EX_NOINPUT: what was asked for is not there
	Create    Code = 73 // EX_CANTCREAT: the output exists or cannot be made
	Temporary Code = 75 // EX_TEMPFAIL: the same command may succeed later
	Refused   Code = 77 // EX_NOPERM: authentication or permission
)

// coded is an error that knows its code, its hint, or both.
type coded struct {
	error
	code Code
	hint string
}

func (e *coded) Unwrap() error { return e.error }

// Errorf is fmt.Errorf with a code.
func Errorf(code Code, format string, args ...any) error {
	return &coded{error: fmt.Errorf(format, args...), code: code}
}

// With gives err a code, unless it has one of its own.
func With(code Code, err error) error {
	if err == nil || Of(err) != Failed {
		return err
	}
	return &coded{error: err, code: code}
}

// Hint adds the next step the user can take.
func Hint(err error, format string, args ...any) error {
	return &coded{error: err, hint: fmt.Sprintf(format, args...)}
}

// HintOf returns the hint nearest to the user, or "".
func HintOf(err error) string {
	for e := (*coded)(nil); errors.As(err, &e); err = e.error {
		if e.hint != "" {
			return e.hint
		}
	}
	return ""
}

// Of returns the code of err. A full disk is what it is, whatever was being
// read when it filled up.
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

// ofSystem reads the code off an error of the operating system.
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
