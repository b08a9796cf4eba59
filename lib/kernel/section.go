// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
)

// maxSection bounds a section, in bytes. A .modinfo has hundreds, rarely 100,000.
const maxSection = 1 << 20

const sectionHeader = 64 // bytes

var errTruncated = errors.New("truncated module")

// section returns the section of a module by name, without copying it. debug/elf
// would decompress a section marked as compressed, and keep the names of all
// sections, without limits.
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
			err = fmt.Errorf("%s of %d bytes: too large (limit %d)", name, len(content), maxSection)
		}
		return content, err
	}
	return nil, fmt.Errorf("no %s section", name)
}

// sections returns the section header table of a module and its section name
// string table (elf(5)). Modules of both architectures are 64-bit little-endian.
func sections(module []byte) (headers, names []byte, err error) {
	if len(module) < 64 || string(module[:4]) != elf.ELFMAG ||
		module[elf.EI_CLASS] != byte(elf.ELFCLASS64) || module[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return nil, nil, errors.New("not a module")
	}
	size, count, namesAt := le.Uint16(module[58:]), int(le.Uint16(module[60:])), int(le.Uint16(module[62:]))
	if size != sectionHeader || namesAt >= count {
		return nil, nil, errors.New("no sections")
	}
	headers, err = within(module, le.Uint64(module[40:]), uint64(count*sectionHeader))
	if err != nil {
		return nil, nil, err
	}
	names, err = contents(module, headers[namesAt*sectionHeader:])
	return headers, names, err
}

// contents returns the section of a header.
func contents(module, header []byte) ([]byte, error) {
	return within(module, le.Uint64(header[24:]), le.Uint64(header[32:]))
}

// within returns a slice of a module, after checking its bounds.
func within(module []byte, at, size uint64) ([]byte, error) {
	if all := uint64(len(module)); at > all || size > all-at {
		return nil, errTruncated
	}
	return module[at : at+size], nil
}

// named reports whether the name at an offset of the string table is name.
func named(names []byte, at uint32, name string) bool {
	return uint64(at) < uint64(len(names)) && bytes.HasPrefix(names[at:], []byte(name+"\x00"))
}
