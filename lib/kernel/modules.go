// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"banger/lib/decompress"
	"banger/lib/status"
)

// Modules are the modules in /lib/modules/RELEASE. A nil *Modules has none.
type Modules struct {
	dir     fs.FS
	files   map[string]string // by module name
	builtin map[string]bool   // names and aliases of what is built in
	listed  bool              // modules.builtin exists

	builtinNames map[string]bool // names in modules.builtin
	infos        map[string]info // read so far
	infoSize     int             // bytes of them
	closer       io.Closer       // of dir, or nil
}

// OpenModules lists the modules in a directory, and those built in, from
// modules.builtin and modules.builtin.modinfo (Documentation/kbuild/kbuild.rst).
func OpenModules(dir fs.FS) (*Modules, error) {
	m := &Modules{dir: dir, files: map[string]string{}, builtin: map[string]bool{}, builtinNames: map[string]bool{}, infos: map[string]info{}}
	err := fs.WalkDir(dir, ".", func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && IsModule(file) && isFile(dir, file) {
			m.files[ModuleName(file)] = file
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, m.readBuiltin()
}

// OnClose makes Close close what the modules are read from.
func (m *Modules) OnClose(c io.Closer) { m.closer = c }

// Close closes what the modules are read from, if OnClose was called.
func (m *Modules) Close() error {
	if m == nil || m.closer == nil {
		return nil
	}
	return m.closer.Close()
}

// readBuiltin reads the names and the aliases of what is built in.
func (m *Modules) readBuiltin() error {
	list, err := readList(m.dir, "modules.builtin")
	if err != nil {
		return err
	}
	m.listed = list != nil
	for file := range strings.FieldsSeq(string(list)) {
		m.builtin[ModuleName(file)], m.builtinNames[ModuleName(file)] = true, true
	}
	aliases, err := readList(m.dir, "modules.builtin.modinfo")
	for field := range strings.SplitSeq(string(aliases), "\x00") {
		if _, alias, _ := strings.Cut(field, ".alias="); alias != "" {
			m.builtin[alias] = true
		}
	}
	return err
}

// maxList bounds a list, in bytes. Typical ones have 200,000.
const maxList = 16 << 20

// readList reads a list in the modules' directory, nil if it does not exist.
func readList(dir fs.FS, name string) ([]byte, error) {
	if !isFile(dir, name) {
		return nil, nil
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := io.ReadAll(io.LimitReader(f, maxList+1))
	if err == nil && len(list) > maxList {
		err = status.Errorf(status.Bad, "%s: too large (limit %d bytes)", name, maxList)
	}
	return append([]byte{}, list...), err
}

// isFile reports whether a name is a regular file: reading another, as a FIFO, may
// not end.
func isFile(dir fs.FS, name string) bool {
	info, err := fs.Stat(dir, name)
	return err == nil && info.Mode().IsRegular()
}

// IsModule reports whether a file is a module, going by its name.
func IsModule(file string) bool {
	base := path.Base(file)
	for _, suffix := range []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"} {
		if strings.HasSuffix(base, suffix) {
			return true
		}
	}
	return false
}

// ModuleName returns the kernel's name for the module in a file.
func ModuleName(file string) string {
	base, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(base, "-", "_")
}

// Builtin reports whether a module is built into the kernel.
func (m *Modules) Builtin(name string) bool { return m != nil && m.builtin[name] }

// Has reports whether the module has a file.
func (m *Modules) Has(name string) bool { return m != nil && m.files[name] != "" }

// A Module is a module, decompressed, as init_module(2) takes it.
type Module struct {
	Name string
	Data []byte
}

// maxModule bounds a decompressed module, in bytes.
const maxModule = 64 << 20

// read returns a module, decompressed.
func (m *Modules) read(name string) ([]byte, error) {
	f, err := m.dir.Open(m.files[name])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := decompress.All.Reader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.files[name], err)
	}
	defer r.Close()
	var data bytes.Buffer
	n, err := io.Copy(&data, io.LimitReader(r, maxModule+1))
	if err == nil && n > maxModule {
		err = fmt.Errorf("too large (limit %d bytes)", maxModule)
	}
	if err != nil {
		return nil, status.Errorf(status.Bad, "%s: %w", m.files[name], err)
	}
	return data.Bytes(), nil
}
