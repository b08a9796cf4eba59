// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
)

// maxSection bounds a section that is read, in bytes: a .modinfo has some
// hundred, seldom 100,000.
const maxSection = 1 << 20

const sectionHeader = 64 // bytes

var errCut = errors.New("a module that is cut")

// section returns the section of a module that has a name, as it is in the
// module: nothing is copied or inflated. debug/elf would inflate what says it
// is compressed, and keep a name for each section, to any length.
func section(module []byte, name string) ([]byte, error) {
	headers, names, err := sections(module)
	if err != nil {
		return nil, err
	}
	for ; len(headers) > 0; headers = headers[sectionHeader:] {
		if !named(names, le.Uint32(headers), name) {
			continue
		}
		if elf.SectionFlag(le.Uint64(headers[8:]))&elf.SHF_COMPRESSED != 0 {
			return nil, fmt.Errorf("%s is compressed", name)
		}
		content, err := contents(module, headers)
		if len(content) > maxSection {
			err = fmt.Errorf("%s of %d bytes, more than %d", name, len(content), maxSection)
		}
		return content, err
	}
	return nil, fmt.Errorf("no %s section in it", name)
}

// sections returns the headers of a module's sections, one behind the other,
// and the names that they refer to (elf(5)). Modules are of 64 bits and little
// endian, as both architectures are.
func sections(module []byte) (headers, names []byte, err error) {
	if len(module) < 64 || string(module[:4]) != elf.ELFMAG ||
		module[elf.EI_CLASS] != byte(elf.ELFCLASS64) || module[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return nil, nil, errors.New("no module")
	}
	size, count, namesAt := le.Uint16(module[58:]), int(le.Uint16(module[60:])), int(le.Uint16(module[62:]))
	if size != sectionHeader || namesAt >= count {
		return nil, nil, errors.New("no module, or one without sections")
	}
	headers, err = within(module, le.Uint64(module[40:]), uint64(count*sectionHeader))
	if err != nil {
		return nil, nil, err
	}
	names, err = contents(module, headers[namesAt*sectionHeader:])
	return headers, names, err
}

// contents returns what the first of some headers is of.
func contents(module, header []byte) ([]byte, error) {
	return within(module, le.Uint64(header[24:]), le.Uint64(header[32:]))
}

// within returns a part of a module, which lies within it.
func within(module []byte, at, size uint64) ([]byte, error) {
	if all := uint64(len(module)); at > all || size > all-at {
		return nil, errCut
	}
	return module[at : at+size], nil
}

// named reports whether a name is the one at an offset.
func named(names []byte, at uint32, name string) bool {
	return uint64(at) < uint64(len(names)) && bytes.HasPrefix(names[at:], []byte(name+"\x00"))
}
