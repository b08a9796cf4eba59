// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"banger/lib/guest"
)

// accounts are those of the boxes.
var accounts = map[string]string{
	"etc/passwd": "root:x:0:0::/root:/bin/sh\nweb:x:101:102::/srv:/bin/false\n",
	"etc/group":  "root:x:0:\nweb:x:102:\nlog:x:7:web\n",
}

func shell(script string) []string { return []string{"sh", "-c", script} }

// found is what a command prints of what it finds.
const found = `101 102 102 7
/srv/new
755 0
` + guest.UsualPath + ` /srv box vt220 image machine
1048576
again
101
kept
tmpfs
mqueue
devpts
cgroup2fs
tmpfs
1777
755
0
0	2147483647
box
127.0.0.1 localhost
::1 localhost
127.0.1.1 box
/run/banger/hosts
console fd full mqueue null ptmx pts shm stderr stdin stdout ttyS1 urandom zero
`

// A command has what docker run gives it.
func TestSupervise(t *testing.T) {
	b := box{
		Config: v1.ImageConfig{
			User: "web", Env: []string{"A=image", "B=image", "junk"}, WorkingDir: "/srv/new",
			Entrypoint: shell(`echo $(id -u) $(id -g) $(id -G); pwd; stat -c '%a %u' .; echo $PATH $HOME $HOSTNAME $TERM $A $B
				ulimit -n; echo again >/dev/stdout; test -t 0 && stat -c %u /dev/console; echo $(ls /tmp)
				stat -f -c %T /dev/shm /dev/mqueue /dev/pts /sys/fs/cgroup /run; stat -c %a /dev/shm /run
				cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range
				hostname; cat /etc/hosts; readlink /etc/hosts; echo $(ls /dev); exit 7`),
		},
		Wishes: guest.Machine{Hostname: "box", Env: []string{"B=machine"}},
		Files:  map[string]string{"etc/passwd": accounts["etc/passwd"], "etc/group": accounts["etc/group"], "tmp/kept": "x"},
	}
	o := b.run(t, nil)
	want := found
	if !mayRaise() {
		want = strings.Replace(want, "1048576\n", hardLimit()+"\n", 1)
	}
	if o.console != want {
		t.Errorf("%s\nnot\n%s", o.console, want)
	}
	if len(o.status) != 3 || !strings.HasPrefix(o.status[0], "STATUS=runs sh -c ") || o.status[1] != "READY=1" || o.status[2] != "EXIT_STATUS=7" {
		t.Errorf("status lines %q", o.status)
	}
	if !strings.Contains(o.said, "banger-init: runs sh -c ") || !strings.Contains(o.said, " as uid 101, gid 102, groups 7: the image's command\n") {
		t.Errorf("said %q", o.said)
	}
}

// hardLimit is how many files a process may open at most.
func hardLimit() string {
	var limit syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return strconv.FormatUint(limit.Max, 10)
}

// The statuses are those of docker run, and an error names its subject.
func TestStatuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		config v1.ImageConfig
		exit   string
		said   string // part of it, and of a status line; "" if the command was run
	}{
		{"exit", v1.ImageConfig{Cmd: shell("exit 255")}, "255", ""},
		{"killed", v1.ImageConfig{Cmd: shell("kill -KILL $$")}, "137", ""},
		{"no user", v1.ImageConfig{Cmd: shell("exit 0"), User: "ghost"}, "125", "ghost"},
		{"no group", v1.ImageConfig{Cmd: shell("exit 0"), User: "web:ghosts"}, "125", "ghosts"},
		{"no directory", v1.ImageConfig{Cmd: shell("exit 0"), WorkingDir: "/etc/passwd/x"}, "125", `working directory "/etc/passwd/x": not a directory`},
		{"no command", v1.ImageConfig{Cmd: []string{"/no/such"}}, "127", "/no/such: file does not exist"},
		{"not in PATH", v1.ImageConfig{Cmd: []string{"env"}, Env: []string{"PATH=/srv"}}, "127", "env: file does not exist"},
		{"not executable", v1.ImageConfig{Cmd: []string{"/etc/passwd"}}, "126", "/etc/passwd: permission denied"},
		{"another's", v1.ImageConfig{Cmd: []string{"/proc/1/exe"}, User: "web"}, "126", "/proc/1/exe: permission denied"},
		{"no interpreter", v1.ImageConfig{Cmd: []string{"/srv/lost"}}, "126", "/srv/lost: the loader or interpreter"},
		{"no program", v1.ImageConfig{Cmd: []string{"/srv/text"}}, "126", "/srv/text: neither a program"},
		{"escapes", v1.ImageConfig{Cmd: []string{"/no\x1b[2J"}}, "127", `/no\x1b[2J`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := box{Config: c.config, Files: map[string]string{
				"etc/passwd": accounts["etc/passwd"], "etc/group": accounts["etc/group"],
				"srv/lost": "#!/no/interpreter\n", "srv/text": "x:text",
			}}
			o := b.run(t, nil)
			if got := last(o.status); got != "EXIT_STATUS="+c.exit {
				t.Errorf("%q, not %s", o.status, c.exit)
			}
			if ready := slices.Contains(o.status, "READY=1"); ready != (c.said == "") {
				t.Errorf("ready: %v", ready)
			}
			all := strings.Join(o.status[min(1, len(o.status)):], "\n")
			if !strings.Contains(o.said, c.said) || !strings.Contains(all, c.said) || strings.Contains(o.said+all, "\x1b") {
				t.Errorf("said %q, %q; not %q", o.said, all, c.said)
			}
		})
	}
}

func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// SIGTERM to process 1 is the image's StopSignal to the command.
func TestStop(t *testing.T) {
	for signal, name := range map[string]string{"": "TERM", "SIGUSR1": "USR1", "quit": "QUIT", "10": "USR1", "SIGRTMIN+3": "37"} {
		b := box{Config: v1.ImageConfig{StopSignal: signal, Cmd: shell(`trap 'echo stopped; kill $!; exit 9' ` + name + `; sleep 60 & kill -TERM 1; wait; exit 1`)}}
		o := b.run(t, nil)
		if o.console != "stopped\n" || last(o.status) != "EXIT_STATUS=9" {
			t.Errorf("%q: %q, %q", signal, o.console, o.status)
		}
	}
}

// Orphans are reaped, and what still runs when the command has ended is asked to
// end.
func TestReap(t *testing.T) {
	b := box{Config: v1.ImageConfig{Cmd: shell(`
		for i in 1 2 3 4 5 6 7 8; do (sleep 0.0$i & exec true) & done; wait
		while grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null; do :; done
		(trap '' HUP; trap 'echo asked; exit' TERM; echo waiting; while :; do sleep 0.1; done) & sleep 0.5
		exit 3`)}}
	o := b.run(t, nil)
	if lines := strings.Fields(o.console); !slices.Contains(lines, "asked") || last(o.status) != "EXIT_STATUS=3" {
		t.Errorf("%q, %q", o.console, o.status)
	}
}

// An init takes the place of process 1, with the kernel's words. The agent tells
// that it runs, and lives until the init ends it.
func TestHandOver(t *testing.T) {
	const init = `#!/bin/sh
		echo "init $$ $0 $*; $container$A"
		read line </dev/console
		for p in /proc/[0-9]*; do
			[ "$(cat $p/comm)" != banger-agent ] || agent=${p#/proc/}
		done
		tr '\0' ' ' </proc/$agent/cmdline; cat /proc/$agent/oom_score_adj
		stat -c %a /run
		kill $agent; wait
		while [ -e /proc/$agent ]; do sleep 0.01; done
		echo over`
	for name, c := range map[string]struct {
		b    box
		said string
	}{
		"image":   {box{}, "the image's init"},
		"command": {box{Config: v1.ImageConfig{Entrypoint: []string{"/etc/init"}, Env: []string{"container=docker", "A=b"}}}, "the image's command, an init"},
		"init=":   {box{Line: cmdline{"init": "/etc/init"}, Config: v1.ImageConfig{Cmd: shell("exit 1")}}, "init= on the kernel's command line"},
	} {
		t.Run(name, func(t *testing.T) {
			// There is no /sbin.
			c.b.Files = map[string]string{"opt/init": init, "etc/init": "-> /opt/init"}
			c.b.Kernel = []string{"single", "x"}
			o := c.b.run(t, func(line string, console *os.File, _ int) {
				if line == "READY=1" {
					console.WriteString("go\n")
				}
			})
			want := "init 1 /etc/init single x; \n"
			if !strings.Contains(o.said, want) {
				t.Errorf("%q: no %q", o.said, want)
			}
			if !slices.Equal(o.status[min(1, len(o.status)):], []string{"READY=1"}) || !strings.Contains(o.said, c.said) {
				t.Errorf("%q, %q", o.status, o.said)
			}
			want = guest.AgentName + " -1000\n755\nover\n"
			if !mayRaise() {
				want = strings.Replace(want, "-1000", "0", 1)
			}
			if !strings.Contains(o.said, want) {
				t.Errorf("%q: no %q", o.said, want)
			}
		})
	}
}

// An init that cannot be run ends the machine, and is not said to run.
func TestHandOverFails(t *testing.T) {
	for init, exit := range map[string]string{"/no/init": "127", "/etc/passwd": "126", "/opt/text": "126"} {
		b := box{Line: cmdline{"init": init}, Files: map[string]string{"etc/passwd": "x", "opt/text": "x:text"}}
		o := b.run(t, nil)
		if last(o.status) != "EXIT_STATUS="+exit || slices.Contains(o.status, "READY=1") || !strings.Contains(o.said, init+": ") {
			t.Errorf("%s: %q, %q", init, o.status, o.said)
		}
	}
}

// A machine survives its agent.
func TestAgentKilled(t *testing.T) {
	// The agent sets its name only after the command may run.
	b := box{Config: v1.ImageConfig{Cmd: shell(`until [ "$killed" ]; do
			for p in /proc/[0-9]*; do
				[ "$(cat $p/comm)" != banger-agent ] || kill -KILL ${killed:=${p#/proc/}}
			done
		done
		while grep -q banger-agent /proc/[0-9]*/comm 2>/dev/null; do sleep 0.01; done
		kill -KILL 1; kill -HUP 1; kill -QUIT 1; exit 5`)}}
	if o := b.run(t, nil); last(o.status) != "EXIT_STATUS=5" {
		t.Errorf("%q", o.status)
	}
}

// The /init of s6-overlay is process 1 of a namespace, and its end that of the
// machine.
func TestOwnPIDs(t *testing.T) {
	b := box{
		Config: v1.ImageConfig{Entrypoint: []string{"/init"}, Cmd: []string{"arg"}, User: "web"},
		Files: map[string]string{
			"etc/passwd": accounts["etc/passwd"], "etc/group": accounts["etc/group"],
			"init": "#!/bin/sh\ntrap 'exit 4' TERM; echo $$ $* $(id -u) $(cat /proc/1/comm); sleep 60 & wait",
		},
	}
	ended := make(chan struct{})
	o := b.run(t, func(line string, _ *os.File, init int) {
		if line == "READY=1" {
			// The signal is lost until /init has a handler for it.
			go repeat(ended, func() { unix.Kill(init, unix.SIGTERM) })
		}
	})
	close(ended)
	if o.console != "1 arg 101 init\n" || last(o.status) != "EXIT_STATUS=4" {
		t.Errorf("%q, %q", o.console, o.status)
	}
}

// repeat does something every tenth of a second until a channel is closed.
func repeat(until <-chan struct{}, do func()) {
	for tick := time.NewTicker(time.Second / 10); ; {
		select {
		case <-until:
			return
		case <-tick.C:
			do()
		}
	}
}

// An image with nothing to run idles until it is asked to end.
func TestIdle(t *testing.T) {
	b := box{Bare: true, Files: map[string]string{"sbin/init": "text"}}
	o := b.run(t, func(line string, _ *os.File, init int) {
		if line == "READY=1" {
			unix.Kill(init, unix.SIGINT)
		}
	})
	if !slices.Equal(o.status, []string{"STATUS=runs nothing: " + string(guest.Idle) + "; not /sbin/init: not executable", "READY=1", "EXIT_STATUS=0"}) || !o.noKeys {
		t.Errorf("%q", o.status)
	}
}

// systemd finds the credentials of the initrd, which nobody else can read. The
// environment of another init is the kernel's.
func TestCredentials(t *testing.T) {
	script := `#!/bin/sh
echo "in [$CREDENTIALS_DIRECTORY]" >&2
stat -c '%a %u' /run/credentials/@system /run/credentials/@system/* >&2; cat /run/credentials/@system/* >&2
`
	for init, want := range map[string]string{
		"opt/systemd": "in [/run/credentials/@system]\n700 0\n400 0\n9.9.9.9",
		"sbin/init":   "in []\n700 0\n400 0\n9.9.9.9",
	} {
		b := box{
			Credentials: []guest.Credential{{ID: "network.dns", Data: []byte("9.9.9.9\n")}},
			Config:      v1.ImageConfig{Cmd: []string{"/" + init}}, Files: map[string]string{init: script},
		}
		if o := b.run(t, nil); !strings.Contains(o.said, want) {
			t.Errorf("%s: %q", init, o.said)
		}
	}
}
