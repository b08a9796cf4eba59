// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "||",
		"web":                                   "|web|",
		"me@web uname -a":                       "|me@web|uname -a",
		"-t web -v top":                         "-t|web|-v top",
		"-L 8080:localhost:80 -N web":           "-L 8080:localhost:80 -N|web|",
		"-NL 8080:localhost:80 web":             "-NL 8080:localhost:80|web|",
		"-L8080:localhost:80 web":               "-L8080:localhost:80|web|",
		"-vvo SetEnv=A=b -o LogLevel=DEBUG web": "-vvo SetEnv=A=b -o LogLevel=DEBUG|web|",
		"-A -- web ls":                          "-A|web|ls",
		"-W localhost:22 web":                   "-W localhost:22|web|",
	} {
		a, err := split(strings.Fields(text))
		if got := strings.Join(a.options, " ") + "|" + a.destination + "|" + strings.Join(a.rest, " "); got != want || err != nil {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"-F file web", "-Ffile web", "-vF file web", "-L"} {
		if a, err := split(strings.Fields(text)); err == nil {
			t.Errorf("%s: %+v", text, a)
		}
	}
}
