// SPDX-License-Identifier: Apache-2.0

package build

import (
	"slices"
	"testing"

	"banger/lib/status"
)

// The interpreter is what execve(2) would run.
func TestInterpreter(t *testing.T) {
	for text, want := range map[string][]string{
		"echo\n":                         {"/bin/sh"},
		"# !/bin/x\n":                    {"/bin/sh"},
		"#!/bin/x":                       {"/bin/x"},
		"#! \t/bin/x \n":                 {"/bin/x"},
		"#!/usr/bin/env -S a  b\necho\n": {"/usr/bin/env", "-S a  b"},
		"#!\n":                           nil,
		"#!sh\n":                         nil,
		"#!/bin/sh\r\n":                  nil,
		"#!/bin/\xff\n":                  nil,
		"#!/bin/\x00\n":                  nil,
	} {
		got, err := interpreter(text)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) || err != nil && status.Of(err) != status.Bad {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}
