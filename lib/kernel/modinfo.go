// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"maps"
	"slices"
	"strings"

	"banger/lib/status"
)

// info is what a module says of itself in its .modinfo section: KEY=VALUE,
// each with a NUL behind it (include/linux/moduleparam.h).
type info struct {
	depends []string // modules that must be loaded before
	wishes  []string // modules or aliases that had better be: softdep, pre
	aliases []string
	release string // of the kernel it was built for: the first word of vermagic
	size    int    // bytes of the section
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
		// "pre: a b post: c"
		_, before, _ := strings.Cut(value, "pre:")
		before, _, _ = strings.Cut(before, "post:")
		in.wishes = append(in.wishes, strings.Fields(before)...)
	case "alias":
		in.aliases = append(in.aliases, value)
	case "vermagic":
		in.release, _, _ = strings.Cut(value, " ")
	}
}

// maxSaid bounds what all modules say of themselves, in bytes: those of a
// distribution say some 5,000,000. As strings it may take ten times as much.
const maxSaid = 32 << 20

// info reads what a module says of itself, once.
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
	if m.said += in.size; m.said > maxSaid {
		return in, status.Errorf(status.Bad, "modules with more than %d bytes of .modinfo", maxSaid)
	}
	m.infos[name] = in
	return in, nil
}

// aliased returns the modules that go by an alias. All are read for it: the
// index of aliases is made by depmod(8), which packages leave to their user.
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

// Release returns the release of the kernel that the modules are for, going by
// the first of them; "" if there is none.
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
