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

// Modules are what /lib/modules/RELEASE holds. The nil Modules are none.
type Modules struct {
	dir     fs.FS
	files   map[string]string // by the name the kernel knows a module by
	builtin map[string]bool   // and what goes by these names needs no file
	listed  bool              // there is a modules.builtin
	infos   map[string]info   // those read so far
	said    int               // bytes that they say
}

// OpenModules reads which modules there are, and which are built in:
// modules.builtin and modules.builtin.modinfo (Documentation/kbuild/kbuild.rst).
func OpenModules(dir fs.FS) (*Modules, error) {
	m := &Modules{dir: dir, files: map[string]string{}, builtin: map[string]bool{}, infos: map[string]info{}}
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

// readBuiltin reads the names of what is built in, and what else it goes by.
func (m *Modules) readBuiltin() error {
	list, err := readList(m.dir, "modules.builtin")
	if err != nil {
		return err
	}
	m.listed = list != nil
	for file := range strings.FieldsSeq(string(list)) {
		m.builtin[ModuleName(file)] = true
	}
	aliases, err := readList(m.dir, "modules.builtin.modinfo")
	for field := range strings.SplitSeq(string(aliases), "\x00") {
		if _, alias, _ := strings.Cut(field, ".alias="); alias != "" {
			m.builtin[alias] = true
		}
	}
	return err
}

// maxList bounds a list, in bytes; they have some 200,000.
const maxList = 16 << 20

// readList reads a list of the modules' directory, nil if it is not there.
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
		err = status.Errorf(status.Bad, "%s: more than %d bytes", name, maxList)
	}
	return append([]byte{}, list...), err
}

// isFile tells a file from what would not be read to an end, as a fifo.
func isFile(dir fs.FS, name string) bool {
	info, err := fs.Stat(dir, name)
	return err == nil && info.Mode().IsRegular()
}

// IsModule tells a module by its file's name.
func IsModule(file string) bool {
	base := path.Base(file)
	for _, suffix := range []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"} {
		if strings.HasSuffix(base, suffix) {
			return true
		}
	}
	return false
}

// ModuleName returns the name the kernel knows the module in a file by.
func ModuleName(file string) string {
	base, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(base, "-", "_")
}

// Builtin reports whether a module is part of the kernel.
func (m *Modules) Builtin(name string) bool { return m != nil && m.builtin[name] }

// Has reports whether there is a file of a module.
func (m *Modules) Has(name string) bool { return m != nil && m.files[name] != "" }

// A Module is a module's file as init_module(2) takes it, not compressed.
type Module struct {
	Name string
	Data []byte
}

// maxModule is how long a module may be, in bytes, once it is decompressed.
const maxModule = 64 << 20

// read returns a module's file, decompressed.
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
		err = fmt.Errorf("more than %d bytes", maxModule)
	}
	if err != nil {
		return nil, status.Errorf(status.Bad, "%s: %w", m.files[name], err)
	}
	return data.Bytes(), nil
}
