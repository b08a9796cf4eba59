// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A dirRoot is a directory of the host as a guest's root. Its symlinks are
// relative, and do not lead out of it.
type dirRoot string

func (d dirRoot) Resolve(p string) (string, fs.FileMode, error) {
	real, err := filepath.EvalSymlinks(filepath.Join(string(d), p))
	if err != nil {
		return "", 0, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", 0, err
	}
	return strings.TrimPrefix(real, string(d)), info.Mode(), nil
}

func (d dirRoot) ReadFile(p string, _ int64) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(d), p))
}

// root makes a root filesystem of a list: "PATH" and "PATH + TEXT" are programs,
// "PATH -> TARGET" is a symlink, "PATH = TEXT" a file that is not executable.
func root(t *testing.T, list string) Root {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(list) {
		name, target, link := strings.Cut(strings.TrimSpace(line), " -> ")
		name, text, data := strings.Cut(name, " = ")
		name, program, _ := strings.Cut(name, " + ")
		if name == "" {
			continue
		}
		p := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		switch {
		case err != nil:
		case link:
			err = os.Symlink(target, p)
		case data:
			err = os.WriteFile(p, []byte(strings.ReplaceAll(text, "|", "\n")), 0o644)
		default:
			err = os.WriteFile(p, []byte(program), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dirRoot(dir)
}

const (
	debian  = "/bin/sh\n/bin/bash\n"
	systemd = debian + "/lib/systemd/systemd\n/sbin/init -> ../lib/systemd/systemd\n"
	busybox = "/bin/busybox\n/bin/sh -> busybox\n/sbin/init -> ../bin/busybox\n"
	alpine  = busybox + "/etc/inittab = # /etc/inittab|::sysinit:/sbin/openrc sysinit|::respawn:-/bin/sh|::shutdown:/sbin/openrc shutdown\n"
)

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name, root string
		config     v1.ImageConfig
		init       string
		command    []string
		user       string

		rule   Rule
		args   string
		asUser string
		broken string
	}{
		{name: "init=", root: systemd, init: "/bin/bash", command: []string{"x"}, rule: InitParameter, args: "/bin/bash"},
		{name: "a command given replaces all, as root", root: systemd, config: v1.ImageConfig{Entrypoint: []string{"/e"}, Cmd: []string{"c"}, User: "web"},
			command: []string{"/app", "x"}, rule: UserCommand, args: "/app x"},
		{name: "and as another user", root: debian, command: []string{"/app"}, user: "web", rule: UserCommand, args: "/app", asUser: "web"},
		{name: "an init for a command", root: systemd, config: v1.ImageConfig{Cmd: []string{"/lib/systemd/systemd", "--unit=x"}, User: "web"},
			rule: InitCommand, args: "/lib/systemd/systemd --unit=x"},
		{name: "an init by its usual path", root: systemd, config: v1.ImageConfig{Entrypoint: []string{"/sbin/init"}}, rule: InitCommand, args: "/sbin/init"},
		{name: "an init found in PATH", root: systemd, config: v1.ImageConfig{Cmd: []string{"init"}, Env: []string{"PATH=/bin:/sbin"}}, rule: InitCommand, args: "init"},
		{name: "no command", root: systemd, rule: ImageInit, args: "/sbin/init"},
		{name: "a bare shell for a command", root: systemd, config: v1.ImageConfig{Cmd: []string{"/bin/bash", "-l"}}, rule: ImageInit, args: "/sbin/init"},
		{name: "a shell with a script", root: systemd, config: v1.ImageConfig{Cmd: []string{"bash", "-c", "x"}}, rule: ImageCommand, args: "bash -c x"},
		{name: "a command beside an init", root: systemd, config: v1.ImageConfig{Entrypoint: []string{"nginx"}, Cmd: []string{"-g", "daemon off;"}, User: "101"},
			rule: ImageCommand, args: "nginx -g daemon off;", asUser: "101"},
		{name: "s6", root: debian + "/init\n", config: v1.ImageConfig{Entrypoint: []string{"/init"}}, rule: ImageCommand, args: "/init"},
		{name: "a shell, no init", root: debian, config: v1.ImageConfig{Cmd: []string{"bash"}, User: "me"}, rule: ImageCommand, args: "bash", asUser: "me"},
		{name: "busybox without an inittab", root: busybox, config: v1.ImageConfig{Cmd: []string{"sh"}}, rule: ImageCommand, args: "sh",
			broken: "/sbin/init: busybox, to start /etc/init.d/rcS, which is not in the image"},
		{name: "busybox by a hard link", root: "/bin/sh\n/bin/init + \x7fELF BusyBox v1.37.0 (2024-09-26 21:31:42 UTC)", config: v1.ImageConfig{Cmd: []string{"sh"}},
			rule: ImageCommand, args: "sh", broken: "/bin/init: busybox, to start /etc/init.d/rcS, which is not in the image"},
		{name: "an init that names BusyBox", root: "/bin/sh\n/bin/init + # BusyBox v1", rule: ImageInit, args: "/bin/init"},
		{name: "busybox with what its default wants", root: busybox + "/etc/init.d/rcS\n", rule: ImageInit, args: "/sbin/init"},
		{name: "Alpine", root: alpine, config: v1.ImageConfig{Cmd: []string{"/bin/sh"}}, rule: ImageCommand, args: "/bin/sh",
			broken: "/sbin/init: busybox, to start /sbin/openrc, which is not in the image"},
		{name: "Alpine with OpenRC", root: alpine + "/sbin/openrc\n", config: v1.ImageConfig{Cmd: []string{"/bin/sh"}}, rule: ImageInit, args: "/sbin/init"},
		{name: "busybox's init as the command, not working", root: alpine, config: v1.ImageConfig{Cmd: []string{"/sbin/init"}}, rule: ImageCommand, args: "/sbin/init",
			broken: "/sbin/init: busybox, to start /sbin/openrc, which is not in the image"},
		{name: "openrc-init", root: debian + "/usr/sbin/openrc-init\n/sbin/init -> ../usr/sbin/openrc-init\n", rule: ImageInit, args: "/sbin/init"},
		{name: "sysvinit", root: debian + "/sbin/init\n", rule: ImageInit, args: "/sbin/init"},
		{name: "an init that leads nowhere, and another", root: "/sbin/init -> none\n/bin/init\n", rule: ImageInit, args: "/bin/init"},
		{name: "an init that is not executable", root: debian + "/sbin/init = text\n", rule: Shell, args: "/bin/sh -i", broken: "/sbin/init: not executable"},
		{name: "a shell at last", root: debian, rule: Shell, args: "/bin/sh -i"},
		{name: "nothing", root: "/etc/passwd = \n", rule: Idle},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Decide(root(t, c.root), c.config, c.init, c.command, c.user)
			if err != nil || p.Rule != c.rule || strings.Join(p.Args, " ") != c.args || p.User != c.asUser || strings.Join(p.Broken, "\n") != c.broken {
				t.Errorf("%+v, %v", p, err)
			}
			if p.OwnPIDs() != (c.name == "s6") {
				t.Errorf("own PIDs: %v", p.OwnPIDs())
			}
		})
	}
}

func TestStartedBy(t *testing.T) {
	table := "# a:b:respawn:/no\n\n::sysinit:/sbin/openrc boot\ntty1::respawn:/sbin/getty 38400 tty1\n" +
		"::askfirst:-/bin/sh\n::wait:exec /etc/rc\n::once: \n::shutdown:/sbin/halt\nnot a line\n"
	if got, want := startedBy(table), []string{"/sbin/openrc", "/sbin/getty", "/bin/sh", "/etc/rc"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
