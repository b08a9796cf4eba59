// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"banger/lib/bundle"
	"banger/lib/initrd"
	"banger/lib/kernel"
	"banger/lib/stage"
	"banger/lib/status"
)

// An Addition describes a kernel to add to the store.
type Addition struct {
	Name    string
	Files   fs.FS  // a tree that holds this kernel only
	Source  string // where it came from, for the record
	Distro  string // "" to take it from the kernel's banner
	Arch    string // refuse a kernel of another architecture; "" for any
	Release string // refuse a kernel whose release does not begin with it; "" for any
	Replace bool   // an existing kernel of that name
	Now     time.Time
	// Init returns banger-init for an architecture. It is called if the kernel
	// needs an initrd and Files has none.
	Init func(arch string) ([]byte, error)

	expected *os.File // if set, the only kernel to replace, as stage.Hold returned it
}

// AddKernel adds a kernel from a tree of files: the contents of a package, of a
// build or of one of banger's archives. The kernel gets its name only once it is
// complete and on disk.
func (s *Store) AddKernel(ctx context.Context, a Addition) (*Kernel, error) {
	st, err := s.stageKernel(a.Name, a.Replace, a.expected)
	if err != nil {
		return nil, err
	}
	defer st.Discard()
	files, disk, err := mountModules(ctx, a.Files)
	if err != nil {
		return nil, err
	}
	defer disk.Close()
	a.Files = files
	parts, err := kernel.Find(ctx, a.Files)
	if err != nil {
		return nil, err
	}
	if err := a.expect(parts); err != nil {
		return nil, err
	}
	m := builder{Addition: a, Parts: parts, dir: st.Path}
	record, err := m.build(ctx)
	if err != nil {
		return nil, err
	}
	if err := syncFilesystem(st.Path); err != nil {
		return nil, err
	}
	if err := st.CommitSync(); err != nil {
		return nil, err
	}
	// Not read back: the name may belong to another kernel by now.
	return &Kernel{a.Name, filepath.Join(s.kernels(), a.Name), record}, nil
}

// expect refuses a kernel of another architecture or release.
func (a *Addition) expect(parts *kernel.Parts) error {
	if a.Arch != "" && a.Arch != parts.Arch {
		return status.Errorf(status.Bad, "kernel is for %s, not %s", parts.Arch, a.Arch)
	}
	if !begins(parts.Release, a.Release) {
		return status.Errorf(status.Bad, "kernel release is %s, not %s", parts.Release, a.Release)
	}
	return nil
}

// begins reports whether a release begins with prefix, up to a separator:
// 6.1.0-56-cloud begins with 6.1 and 6.1.0-56, but not with 6.1.0-5.
func begins(release, prefix string) bool {
	rest, ok := strings.CutPrefix(release, prefix)
	return ok && (prefix == "" || rest == "" || strings.Contains(".-_+~", rest[:1]))
}

// Scratch makes a temporary directory among the kernels, for the source of one.
// It is never committed: Discard removes it, or the next run's sweep. An existing
// kernel of that name is an error unless replace is set.
func (s *Store) Scratch(name string, replace bool) (*stage.Stage, error) {
	return s.stageKernel(name, replace, nil)
}

func (s *Store) stageKernel(name string, replace bool, expected *os.File) (*stage.Stage, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	dir := filepath.Join(s.kernels(), name)
	if err := makeParent(dir); err != nil {
		return nil, err
	}
	o := stage.Options{Expected: expected}
	if replace {
		o.Replaces = isKernel
	}
	return stage.NewDir(dir, o)
}

// A builder fills the directory of a kernel.
type builder struct {
	Addition
	*kernel.Parts
	dir string
}

func (m *builder) path(part string) string { return filepath.Join(m.dir, part) }

// build fills the directory and returns its record.
func (m *builder) build(ctx context.Context) (*KernelRecord, error) {
	parts := newCopier(m.Files)
	for from, part := range map[string]string{
		m.BzImage: bzImagePart, m.Config: configPart, m.Initrd: initrdPart,
	} {
		if from == "" {
			continue
		}
		if err := parts.part(ctx, m.path(part), from); err != nil {
			return nil, err
		}
	}
	if m.Modules != "" {
		if err := parts.modulesDisk(ctx, m.dir, m.Modules); err != nil {
			return nil, err
		}
	}
	banner, err := m.vmlinux(ctx)
	if err != nil {
		return nil, err
	}
	if m.Distro == "" {
		m.Distro = distroOf(m.Parts.Release, banner)
	}
	if m.Initrd == "" {
		if err := m.initrd(); err != nil {
			return nil, err
		}
	}
	return m.record(ctx)
}

// vmlinux writes the kernel as a VMM loads it, and the configuration embedded in
// it if Files has none. It returns the kernel's banner.
func (m *builder) vmlinux(ctx context.Context) (banner string, err error) {
	from := m.Vmlinux
	if from == "" {
		from = m.BzImage
	}
	if err := m.extract(ctx, from); err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	f, err := os.Open(m.path(vmlinuxPart))
	if err != nil {
		return "", err
	}
	defer f.Close()
	k, err := kernel.OpenFile(ctx, f)
	if err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	if m.Config == "" {
		if err := keepConfig(ctx, k, m.dir, new(string)); err != nil {
			return "", err
		}
	}
	return k.Banner(ctx)
}

// extract writes the kernel in file from as a VMM loads it.
func (m *builder) extract(ctx context.Context, from string) error {
	in, err := m.Files.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	k, err := kernel.OpenFile(ctx, in)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(m.path(vmlinuxPart), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(k.WriteVmlinux(ctx, out), out.Close())
}

// initrd writes an initial ramdisk if the kernel needs one.
func (m *builder) initrd() error {
	config, modules, err := configuration(m.dir)
	if err != nil {
		return err
	}
	defer modules.Close()
	if !kernel.NeedsInitrd(config, modules) {
		return nil
	}
	r := ramdisk{arch: m.Parts.Arch, release: m.Parts.Release, config: config, modules: modules, init: m.Init}
	if err := r.check(); err != nil {
		return err
	}
	out, err := os.OpenFile(m.path(initrdPart), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(r.write(out, initrd.Contents{}), out.Close())
}

// record makes the parts read-only and writes kernel.json.
func (m *builder) record(ctx context.Context) (*KernelRecord, error) {
	for _, part := range allParts {
		if err := os.Chmod(m.path(part), readOnly); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	digests, err := sums(ctx, m.dir)
	if err != nil {
		return nil, err
	}
	r := &KernelRecord{
		Version: 1, Distro: m.Distro, Arch: m.Parts.Arch, Release: m.Parts.Release, Source: m.Source,
		SHA256: digests, Added: m.Now.UTC(),
	}
	return r, bundle.WriteJSON(m.path(kernelFile), r)
}
