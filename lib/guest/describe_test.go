// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"os/exec"
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	for want, p := range map[string]Plan{
		"/usr/sbin/nginx -g 'daemon off;' as uid 101, gid 102, groups 7 8: the image's command": {
			Rule: ImageCommand, Args: []string{"/usr/sbin/nginx", "-g", "daemon off;"}, User: "web"},
		"/app as uid 1234, gid 0: the command given":                {Rule: UserCommand, Args: []string{"/app"}, User: "1234"},
		"/app as user 'a ghost': the image's command":               {Rule: ImageCommand, Args: []string{"/app"}, User: "a ghost"},
		"'' 'a\n' as root: the image's command":                     {Rule: ImageCommand, Args: []string{"", "a\n"}, User: "root"},
		"/bin/sh -i as root: no init and no command: a shell":       {Rule: Shell, Args: []string{"/bin/sh", "-i"}},
		"/sbin/init: the image's init":                              {Rule: ImageInit, Args: []string{"/sbin/init"}, User: "web"},
		"nothing: no init, no command and no shell: idle":           {Rule: Idle, User: "web"},
		"/app as uid 0, gid 7: the image's command":                 {Rule: ImageCommand, Args: []string{"/app"}, User: ":log"},
		"/lib/systemd/systemd --user: the image's command, an init": {Rule: InitCommand, Args: []string{"/lib/systemd/systemd", "--user"}},
	} {
		if got := Describe(root(t, accountsList), p); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A shell reads quoted words as they were.
func TestWords(t *testing.T) {
	words := []string{"", "plain-1.0", "two words", "it's", `"$HOME" \n`, "a\nb", "*", "~", "#", "é", "\x1b\xff", "a;b", "-n", "x=y", "{a,b}", "!"}
	line := Words(words)
	got, err := exec.Command("sh", "-c", `printf '%s\0' `+line).Output()
	if err != nil || string(got) != strings.Join(words, "\x00")+"\x00" {
		t.Errorf("%s: %q, %v", line, got, err)
	}
	if got := Quote("/usr/bin/app_1:a=b,c+d@e%f-g"); got != "/usr/bin/app_1:a=b,c+d@e%f-g" {
		t.Errorf("%s: quoted without need", got)
	}
}
