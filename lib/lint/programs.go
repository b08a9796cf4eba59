// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"banger/lib/ext4"
	"banger/lib/program"
	"banger/lib/tree"
)

// inits are the programs that the kernel tries before /bin/sh (init/main.c).
var inits = []string{"/sbin/init", "/etc/init", "/bin/init"}

// checkInit checks the init, or the shell or the command that runs without one.
func (c *checker) checkInit() error {
	init, err := c.first(inits...)
	if err != nil {
		return err
	}
	sh, err := c.first("/bin/sh")
	if err != nil {
		return err
	}
	switch {
	case init == "" && sh == "":
		return c.checkCommand()
	case init == "":
		c.report(Warning, "init", c.boot(""), "no init: its command or /bin/sh runs instead")
		return c.checkProgram(sh)
	}
	found := len(c.findings)
	if err := c.checkProgram(init); err != nil || sh == "" || len(c.findings) > found {
		return err
	}
	return c.checkProgram(sh) // most inits run scripts
}

// first returns the first path that is in the image, or "".
func (c *checker) first(paths ...string) (string, error) {
	for _, path := range paths {
		ok, err := c.exists(path)
		if ok || err != nil {
			return path, err
		}
	}
	return "", nil
}

// checkCommand checks the command in the config of an image with neither an init
// nor a shell.
func (c *checker) checkCommand() error {
	command := c.command()
	if !path.IsAbs(command) {
		c.report(Error, "init", c.boot(" -- PROGRAM"), "neither an init nor a shell, and no command with an absolute path in its config")
		return nil
	}
	word := command
	if !plain.MatchString(word) {
		word = "PROGRAM"
	}
	c.report(Warning, "init", c.boot(" -- "+word), "no init and no shell: it can only run its own programs")
	return c.checkProgram(command)
}

// plain matches a path that needs no quoting in a shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9/._+-]+$`)

// boot returns the command that boots the image, with options. If an earlier error
// keeps the image from booting, it returns the remedy for that instead.
func (c *checker) boot(command string) string {
	for _, f := range c.findings {
		if f.Level == Error && f.Check != "init" {
			return f.Remedy
		}
	}
	return "banger boot " + c.Name + command
}

func (c *checker) command() string {
	config, err := c.Config()
	if err != nil {
		return ""
	}
	if all := append(config.Config.Entrypoint, config.Config.Cmd...); len(all) > 0 {
		return all[0]
	}
	return ""
}

// checkProgram checks that a program and its interpreters can run.
func (c *checker) checkProgram(path string) error {
	for range 4 { // interpreters of interpreters: BINPRM_MAX_RECURSION
		f, err := c.root.Open(path)
		switch {
		case missing(err):
			c.report(Error, "init", c.boot(" -- PROGRAM"), "%s is not in the image", path)
			return nil
		case err != nil:
			return err
		case f.Type != tree.File || f.Mode&0o111 == 0:
			c.report(Error, "init", c.boot(" -- PROGRAM"), "%s cannot be executed", path)
			return nil
		}
		next, err := c.checkFile(path, f)
		if err != nil || next == "" {
			return err
		}
		path = next
	}
	return nil
}

// checkFile checks a program and returns the interpreter or loader that it needs,
// or "".
func (c *checker) checkFile(path string, f *ext4.File) (needs string, err error) {
	head := make([]byte, min(f.Size, 256))
	if _, err := f.ReadAt(head, 0); err != nil {
		return "", err
	}
	if script, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ := bytes.Cut(script, []byte{'\n'})
		if words := strings.Fields(string(line)); len(words) > 0 {
			return words[0], nil
		}
		return "", nil
	}
	e, err := program.Open(f)
	if err != nil {
		c.report(Error, "arch", "use another image", "%s is neither a program nor a script", path)
		return "", nil
	}
	if arch := archOf(e.Machine); c.arch != "" && arch != c.arch {
		c.report(Error, "arch", fmt.Sprintf("use a kernel for %s, or the image for linux/%s", arch, c.arch),
			"%s is for %s, the kernel is for %s", path, arch, c.arch)
		return "", nil
	}
	if needs, err = loader(e); err != nil {
		c.report(Error, "arch", "use another image", "%s is damaged: its loader cannot be read: %v", path, err)
	}
	return needs, nil
}

// archOf returns OCI's name of a machine with supported kernels, or ELF's name.
func archOf(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64, elf.EM_386:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	}
	return strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
}

// loader returns the program in PT_INTERP of an ELF file, or "". Its errors are
// errors of the kernel too (fs/binfmt_elf.c).
func loader(e *elf.File) (string, error) {
	for _, p := range e.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		if p.Filesz < 2 || p.Filesz > tree.MaxTarget+1 {
			return "", fmt.Errorf("invalid name of %d bytes", p.Filesz)
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err != nil {
			return "", err
		}
		text, _, terminated := strings.Cut(string(name), "\x00")
		if text == "" || !terminated {
			return "", errors.New("no name")
		}
		return text, nil
	}
	return "", nil
}

// checkMounts checks for the usual mount points.
func (c *checker) checkMounts() error {
	var missing []string
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run", "/tmp"} {
		ok, err := c.exists(dir)
		if err != nil {
			return err
		}
		if !ok {
			missing = append(missing, dir)
		}
	}
	if len(missing) > 0 {
		c.report(Warning, "mounts", "create them in the image if another program than banger-init needs them",
			"no %s in the image", strings.Join(missing, ", "))
	}
	return nil
}

// names lists a directory of the image, empty if it does not exist.
func (c *checker) names(path string) ([]string, error) {
	all, err := c.root.Names(path)
	if missing(err) {
		return nil, nil
	}
	return all, err
}
