// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"strings"

	"banger/lib/ext4"
	"banger/lib/program"
	"banger/lib/tree"
)

// checkProgram checks that a program and its interpreters can run. Its findings
// have a level, but for programs that no kernel can run, and end with an effect.
func (c *checker) checkProgram(path string, level Level, effect string) error {
	for range 4 { // interpreters of interpreters: BINPRM_MAX_RECURSION
		f, err := c.root.Open(path)
		switch {
		case missing(err):
			c.report(level, "init", c.remedy("banger boot "+c.Name+" -- PROGRAM"), "%s is not in the image%s", path, effect)
			return nil
		case err != nil:
			return err
		case f.Type != tree.File || f.Mode&0o111 == 0:
			c.report(level, "init", c.remedy("banger boot "+c.Name+" -- PROGRAM"), "%s cannot be executed%s", path, effect)
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
