// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"maps"
	"slices"
	"strings"

	"banger/lib/status"
)

// info is the .modinfo section of a module: NUL-terminated KEY=VALUE strings
// (include/linux/moduleparam.h).
type info struct {
	depends  []string // modules to load first
	softdeps []string // modules or aliases to load first if they exist: softdep, pre
	aliases  []string
	release  string // of the kernel it was built for: the first word of vermagic
	size     int    // bytes of the section

	softdepLines []string // as written
}

func readInfo(module []byte) (in info, err error) {
	data, err := section(module, ".modinfo")
	if err != nil {
		return in, err
	}
	in.size = len(data)
	for field := range strings.SplitSeq(string(data), "\x00") {
		in.add(field)
	}
	return in, nil
}

func (in *info) add(field string) {
	key, value, _ := strings.Cut(field, "=")
	switch key {
	case "depends":
		for name := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' }) {
			in.depends = append(in.depends, ModuleName(name))
		}
	case "softdep":
		in.softdepLines = append(in.softdepLines, value)
		// "pre: a b post: c"
		_, before, _ := strings.Cut(value, "pre:")
		before, _, _ = strings.Cut(before, "post:")
		in.softdeps = append(in.softdeps, strings.Fields(before)...)
	case "alias":
		in.aliases = append(in.aliases, value)
	case "vermagic":
		in.release, _, _ = strings.Cut(value, " ")
	}
}

// maxInfo bounds the .modinfo sections of all modules, in bytes. Those of a
// distribution have 5,000,000. As strings they may take ten times the memory.
const maxInfo = 32 << 20

// info returns the .modinfo of a module, cached.
func (m *Modules) info(name string) (info, error) {
	if in, done := m.infos[name]; done {
		return in, nil
	}
	data, err := m.read(name)
	if err != nil {
		return info{}, err
	}
	in, err := readInfo(data)
	if err != nil {
		return in, status.Errorf(status.Bad, "module %s: %w", name, err)
	}
	if m.infoSize += in.size; m.infoSize > maxInfo {
		return in, status.Errorf(status.Bad, "modules with more than %d bytes of .modinfo", maxInfo)
	}
	m.infos[name] = in
	return in, nil
}

// aliased returns the modules that have an alias. It reads all modules: packages
// do not contain modules.alias, which depmod(8) makes at installation.
func (m *Modules) aliased(alias string) (names []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		in, err := m.info(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(in.aliases, alias) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Release returns the kernel release in the first module, or "" if there is none.
func (m *Modules) Release() (string, error) {
	if m == nil {
		return "", nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		in, err := m.info(name)
		return in.release, err
	}
	return "", nil
}
