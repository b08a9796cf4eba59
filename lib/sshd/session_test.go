// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestExec(t *testing.T) {
	h := serve(t, busybox(t))
	for _, c := range []struct {
		command        string
		stdout, stderr string
		status         int
	}{
		{"echo out; echo err >&2; exit 7", "out\n", "err\n", 7},
		{"true", "", "", 0},
		{"kill -TERM $$", "", "", 255}, // what ssh(1) exits with after a signal
		{"echo $IMAGE $HOME $USER $SHELL $PATH", "yes /root root /bin/sh /bin:/usr/bin\n", "", 0},
		{"pwd; echo $0", "/root\nsh\n", "", 0},
		{"nothing-here", "", "sh: nothing-here: not found\n", 127},
		{"echo '\xff\xfe' | wc -c", "3\n", "", 0},
	} {
		stdout, stderr, status := run(t, h.ssh("vm", c.command))
		if stdout != c.stdout || stderr != c.stderr || status != c.status {
			t.Errorf("%q: stdout %q, stderr %q, status %d; want %q, %q, %d", c.command, stdout, stderr, status, c.stdout, c.stderr, c.status)
		}
	}
}

func TestUsers(t *testing.T) {
	h := serve(t, busybox(t))
	for login, want := range map[string]string{
		"root": "uid=0(root) gid=0(root) groups=0(root)",
		"0":    "uid=0(root) gid=0(root) groups=0(root)",
		"user": "uid=4711(user) gid=4712(user) groups=50(staff),4712(user)",
		"4711": "uid=4711(user) gid=4712(user) groups=50(staff),4712(user)",
		"99":   "uid=99 gid=0(root) groups=0(root)",
		"sly":  "uid=4713(sly) gid=4713 groups=4713", // whose shell is nologin
	} {
		if got := output(t, h.ssh("-l", login, "vm", "id")); strings.TrimSpace(got) != want {
			t.Errorf("%s: %s; want %s", login, got, want)
		}
	}
}

func TestNoShell(t *testing.T) {
	h := serve(t, scratch(t))
	for login, id := range map[string]int{"root": 0, "1234": 1234} {
		var got struct {
			Args, Env []string
			Dir       string
			UID, GID  int
		}
		check(t, json.Unmarshal([]byte(output(t, h.ssh("-l", login, "vm", `/probe 'a b' "c\"d" e\ f ''`))), &got))
		if want := []string{"/probe", "a b", `c"d`, "e f", ""}; !slices.Equal(got.Args, want) || got.UID != id || got.Dir != "/" {
			t.Errorf("%s: %+v", login, got)
		}
		if !slices.Contains(got.Env, "IMAGE=yes") {
			t.Errorf("%s: %q has no IMAGE", login, got.Env)
		}
	}
	for command, want := range map[string]string{
		"/probe | cat": "'|'",
		"/probe $HOME": "'$'",
		"/nothing":     "does not exist",
		"'unclosed":    "not closed",
		"":             "give a command",
	} {
		args := []string{"vm"}
		if command != "" {
			args = append(args, command)
		}
		if _, stderr, status := run(t, h.ssh(args...)); status != 127 || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %q; want 127, %q", command, status, stderr, want)
		}
	}
}

func TestStandardInput(t *testing.T) {
	h := serve(t, busybox(t))
	shell := h.ssh("-T", "vm")
	shell.Stdin = strings.NewReader("echo from the shell\nexit 3\n")
	if stdout, _, status := run(t, shell); stdout != "from the shell\n" || status != 3 {
		t.Errorf("%q, %d", stdout, status)
	}
	cat := h.ssh("vm", "cat; echo end")
	cat.Stdin = strings.NewReader("text")
	if got := output(t, cat); got != "textend\n" {
		t.Errorf("%q", got)
	}
}

func TestEnvironment(t *testing.T) {
	h := serve(t, busybox(t))
	got := output(t, h.ssh("-o", "SetEnv=IMAGE=no HOME=/elsewhere NEW=x", "vm", "env"))
	for _, want := range []string{
		"IMAGE=no\n", "HOME=/elsewhere\n", "NEW=x\n", "LOGNAME=root\n",
		"SSH_CONNECTION=127.0.0.1 ", fmt.Sprintf(" 127.0.0.1 %d\n", h.addr.Port),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
