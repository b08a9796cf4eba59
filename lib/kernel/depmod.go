// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"banger/lib/status"
)

// Indexes returns the files by which modprobe(8) finds modules, by name: what
// depmod(8) makes at the installation of a kernel, except modules.symbols
// (modules.dep(5)). It returns none if modules.dep.bin exists.
func (m *Modules) Indexes() (map[string][]byte, error) {
	if isFile(m.dir, "modules.dep.bin") {
		return nil, nil
	}
	names, err := m.ordered()
	if err != nil {
		return nil, err
	}
	var dep, alias, softdep, devname strings.Builder
	deps, aliases := index{}, index{}
	for _, name := range names {
		in, err := m.info(name)
		if err != nil {
			return nil, err
		}
		line := m.files[name] + ":"
		for _, file := range m.dependencies(name) {
			line += " " + file
		}
		dep.WriteString(line + "\n")
		if dep.Len() > maxList {
			return nil, status.Errorf(status.Bad, "modules.dep: too large (limit %d bytes)", maxList)
		}
		deps.add(name, line)
		for _, a := range in.aliases {
			fmt.Fprintf(&alias, "alias %s %s\n", a, name)
			aliases.add(underscored(a), name)
		}
		for _, s := range in.softdepLines {
			fmt.Fprintf(&softdep, "softdep %s %s\n", name, s)
		}
		devname.WriteString(devnameOf(name, in.aliases))
	}
	builtin := index{}
	for _, file := range slices.Sorted(maps.Keys(m.builtinNames)) {
		builtin.add(file, "")
	}
	return map[string][]byte{
		"modules.dep": []byte(dep.String()), "modules.dep.bin": deps.bytes(),
		"modules.alias": []byte(alias.String()), "modules.alias.bin": aliases.bytes(),
		"modules.softdep": []byte(softdep.String()), "modules.devname": []byte(devname.String()),
		"modules.builtin.bin": builtin.bytes(),
	}, nil
}

// ordered returns the names of all modules, in the order in which the kernel's
// build lists them: of two modules with one alias, the first is loaded first.
func (m *Modules) ordered() ([]string, error) {
	list, err := readList(m.dir, "modules.order")
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for file := range strings.FieldsSeq(string(list)) {
		at[ModuleName(file)] = len(at) - len(list) // below that of one not listed
	}
	names := slices.Collect(maps.Keys(m.files))
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(at[a], at[b]), cmp.Compare(m.files[a], m.files[b]))
	})
	return names, nil
}

// dependencies returns the files of all modules that a module needs, each before
// those that it needs itself. What is neither a file nor built in is left out, as
// are modules that need each other.
func (m *Modules) dependencies(name string) (files []string) {
	seen := map[string]bool{name: true}
	var visit func(name string)
	visit = func(name string) {
		in, _ := m.info(name) // read before, or reported then
		for _, d := range in.depends {
			if !seen[d] && m.Has(d) {
				seen[d] = true
				visit(d)
				files = append(files, m.files[d])
			}
		}
	}
	visit(name)
	slices.Reverse(files)
	return files
}

// underscored returns an alias as modprobe(8) searches it: with underscores, but in
// the brackets of a pattern.
func underscored(alias string) string {
	in := false
	return strings.Map(func(r rune) rune {
		switch {
		case r == '[' || r == ']':
			in = r == '['
		case r == '-' && !in:
			return '_'
		}
		return r
	}, alias)
}

// devnameOf returns the line of a module that makes a device node before it is
// loaded, such as "fuse fuse c10:229", or "".
func devnameOf(name string, aliases []string) string {
	node, number := "", ""
	for _, a := range aliases {
		if dev, ok := strings.CutPrefix(a, "devname:"); ok {
			node = dev
		}
		for prefix, kind := range map[string]string{"char-major-": "c", "block-major-": "b"} {
			if rest, ok := strings.CutPrefix(a, prefix); ok {
				major, minor, _ := strings.Cut(rest, "-")
				var x, y uint32
				if n, _ := fmt.Sscanf(major+" "+minor, "%d %d", &x, &y); n == 2 {
					number = fmt.Sprintf("%s%d:%d", kind, x, y)
				}
			}
		}
	}
	if node == "" || number == "" {
		return ""
	}
	return fmt.Sprintf("%s %s %s\n", name, node, number)
}
