// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"strings"

	"banger/lib/ext4"
	"banger/lib/program"
	"banger/lib/tree"
)

// inits are what the kernel looks for by itself, before /bin/sh (init/main.c).
var inits = []string{"/sbin/init", "/etc/init", "/bin/init"}

// checkInit is about the first program, and what stands in for it.
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
		c.find(Warning, "init", c.boot(""), "no init: a shell stands in for it")
		return c.checkProgram(sh)
	}
	found := len(c.findings)
	if err := c.checkProgram(init); err != nil || sh == "" || len(c.findings) > found {
		return err
	}
	return c.checkProgram(sh) // by which most inits run most things
}

// first returns the first of some paths that is in the image, "" if none is.
func (c *checker) first(paths ...string) (string, error) {
	for _, path := range paths {
		there, err := c.exists(path)
		if there || err != nil {
			return path, err
		}
	}
	return "", nil
}

// checkCommand is about an image with neither an init nor a shell: what its
// config runs is all there is.
func (c *checker) checkCommand() error {
	command := c.command()
	if !path.IsAbs(command) {
		c.find(Error, "init", c.boot(" -- PROGRAM"), "neither an init nor a shell, nor a command in its config by a full path")
		return nil
	}
	c.find(Warning, "init", c.boot(" -- "+command), "no init and no shell: only a program of its own can be run")
	return c.checkProgram(command)
}

// boot is how to boot the image with a command.
func (c *checker) boot(command string) string {
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

// checkProgram looks whether a program can run: what it is for, and whether
// what it asks for is there.
func (c *checker) checkProgram(path string) error {
	for range 4 { // interpreters of interpreters: BINPRM_MAX_RECURSION
		f, err := c.root.Open(path)
		switch {
		case missing(err):
			c.find(Error, "init", c.boot(" -- PROGRAM"), "%s is not in the image", path)
			return nil
		case err != nil:
			return err
		case f.Type != tree.File || f.Mode&0o111 == 0:
			c.find(Error, "init", c.boot(" -- PROGRAM"), "%s cannot be executed", path)
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

// checkFile looks at a program's file, and returns the program that it needs to
// be run by, "" if none.
func (c *checker) checkFile(path string, f *ext4.File) (needs string, err error) {
	head := make([]byte, min(f.Size, 256))
	if _, err := f.ReadAt(head, 0); err != nil {
		return "", err
	}
	if script, is := bytes.CutPrefix(head, []byte("#!")); is {
		line, _, _ := bytes.Cut(script, []byte{'\n'})
		if words := strings.Fields(string(line)); len(words) > 0 {
			return words[0], nil
		}
		return "", nil
	}
	e, err := program.Open(f)
	if err != nil {
		c.find(Error, "arch", "another image", "%s is neither a program nor a script", path)
		return "", nil
	}
	if arch := archOf(e.Machine); c.arch != "" && arch != c.arch {
		c.find(Error, "arch", fmt.Sprintf("a kernel for %s, or banger fetch --platform linux/%s", arch, c.arch),
			"%s is for %s, the kernel is for %s", path, arch, c.arch)
		return "", nil
	}
	if needs, err = loader(e); err != nil {
		c.find(Error, "arch", "another image", "%s is damaged: its loader cannot be read: %v", path, err)
	}
	return needs, nil
}

// archOf calls a machine as OCI does, as far as it has kernels here.
func archOf(m elf.Machine) string {
	switch m {
	case elf.EM_X86_64, elf.EM_386:
		return "amd64"
	case elf.EM_AARCH64:
		return "arm64"
	}
	return strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
}

// loader returns the program that an ELF file asks to be loaded by, "" for none.
// What is an error here is one to the kernel too (fs/binfmt_elf.c).
func loader(e *elf.File) (string, error) {
	for _, p := range e.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		if p.Filesz < 2 || p.Filesz > tree.MaxTarget+1 {
			return "", fmt.Errorf("a name of %d bytes", p.Filesz)
		}
		name := make([]byte, p.Filesz)
		if _, err := p.ReadAt(name, 0); err != nil {
			return "", err
		}
		text, _, ends := strings.Cut(string(name), "\x00")
		if text == "" || !ends {
			return "", errors.New("no name")
		}
		return text, nil
	}
	return "", nil
}

// checkMounts is about the directories that every system mounts something on.
func (c *checker) checkMounts() error {
	var missing []string
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run", "/tmp"} {
		there, err := c.exists(dir)
		if err != nil {
			return err
		}
		if !there {
			missing = append(missing, dir)
		}
	}
	if len(missing) > 0 {
		c.find(Warning, "mounts", "banger-init makes them; another init may want them in the image",
			"no %s in the image", strings.Join(missing, ", "))
	}
	return nil
}

// names lists a directory of the image, none if it is not there.
func (c *checker) names(path string) ([]string, error) {
	all, err := c.root.Names(path)
	if missing(err) {
		return nil, nil
	}
	return all, err
}
