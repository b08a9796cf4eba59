// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// InitPaths are where an image has its init, in the order in which the kernel
// looks (init/main.c).
var InitPaths = []string{"/sbin/init", "/etc/init", "/bin/init"}

// namedInits are inits that are known by the name of their program.
var namedInits = []string{"systemd", "openrc-init", "runit", "runit-init", "dinit"}

// How many bytes of /etc/inittab and of a program are read.
const (
	maxInittab = 64 << 10
	maxProgram = 4 << 20
)

// findInit returns the first init of the image that works, "" if none does,
// and why those before it do not.
func findInit(root Root) (init string, broken []string, err error) {
	for _, p := range InitPaths {
		resolved, _, err := root.Resolve(p)
		if missing(err) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		problem, err := initProblem(root, resolved)
		if err != nil {
			return "", nil, err
		}
		if problem == "" {
			return p, broken, nil
		}
		broken = append(broken, p+": "+problem)
	}
	return "", broken, nil
}

// checkInit reports whether a program is an init, by its name or its usual
// path, and why it does not work, "" if it does.
func checkInit(root Root, program string) (problem string, ok bool, err error) {
	resolved, _, err := root.Resolve(program)
	if missing(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	named := slices.Contains(namedInits, path.Base(resolved))
	usual := path.Base(program) == "init" && path.Clean(program) != "/init"
	if !named && !usual {
		return "", false, nil
	}
	problem, err = initProblem(root, resolved)
	return problem, true, err
}

// initProblem returns why a program cannot be the init of a machine, "" if it
// can. An init that is no busybox is taken to work: it was installed as one.
// busybox has an init in every image, which works if the programs exist that it
// is to start.
func initProblem(root Root, resolved string) (string, error) {
	if program, err := isProgram(root, resolved); err != nil {
		return "", err
	} else if !program {
		return "not executable", nil
	}
	if busybox, err := isBusybox(root, resolved); !busybox {
		return "", err
	}
	table, err := root.ReadFile("/etc/inittab", maxInittab)
	if missing(err) {
		table, err = []byte(defaultInittab), nil
	}
	if err != nil {
		return "", err
	}
	for _, program := range startedBy(string(table)) {
		found, err := lookIn(root, program, nil)
		if err != nil {
			return "", err
		}
		if there, err := isProgram(root, found); err != nil {
			return "", err
		} else if !there {
			return fmt.Sprintf("busybox, to start %s, which is not in the image", program), nil
		}
	}
	return "", nil
}

// isBusybox reports whether a program is busybox. In images like Docker's busybox,
// init is one of its hard links.
func isBusybox(root Root, resolved string) (bool, error) {
	base := path.Base(resolved)
	if base == "busybox" || slices.Contains(namedInits, base) {
		return base == "busybox", nil
	}
	program, err := root.ReadFile(resolved, maxProgram)
	return bytes.HasPrefix(program, []byte("\x7fELF")) && bytes.Contains(program, []byte("BusyBox v")), err
}

// defaultInittab is what busybox's init does without a file (init/init.c,
// parse_inittab).
const defaultInittab = "::sysinit:/etc/init.d/rcS\n::askfirst:-/bin/sh\n"

// startedBy lists the programs that an inittab of busybox's starts to bring the
// machine up: ID:RUNLEVELS:ACTION:COMMAND (examples/inittab).
func startedBy(table string) (programs []string) {
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		fields := strings.SplitN(line, ":", 4)
		if strings.HasPrefix(line, "#") || len(fields) < 4 ||
			!slices.Contains([]string{"sysinit", "wait", "once", "respawn", "askfirst"}, fields[2]) {
			continue
		}
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(fields[3]), "-"))
		if len(words) > 1 && words[0] == "exec" {
			words = words[1:]
		}
		if len(words) > 0 {
			programs = append(programs, words[0])
		}
	}
	return programs
}

// isProgram reports whether a path leads to a file that can be executed.
func isProgram(root Root, p string) (bool, error) {
	_, mode, err := root.Resolve(p)
	if missing(err) {
		return false, nil
	}
	return err == nil && mode.IsRegular() && mode&0o111 != 0, err
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
