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
	"banger/lib/kernel"
	"banger/lib/stage"
	"banger/lib/status"
)

// An Addition is a kernel that is to be added to the store.
type Addition struct {
	Name    string
	Files   fs.FS  // a tree that holds it, and no other
	Source  string // what the record says it was taken from
	Distro  string // "" for what the kernel says of itself
	Arch    string // refuse a kernel of another architecture; "" for any
	Release string // refuse a kernel whose release does not begin so; "" for any
	Replace bool   // a kernel that has the name
	Now     time.Time
	// Init returns banger-init for an architecture; it is asked for if the
	// kernel needs an initial ramdisk and brings none.
	Init func(arch string) ([]byte, error)

	instead *os.File // what is held of the kernel to be replaced, and of no other
}

// AddKernel takes a kernel from a tree of files: what its package, a build or
// one of banger's archives holds. It is made under a temporary name, and has
// its own once it is whole and on disk.
func (s *Store) AddKernel(ctx context.Context, a Addition) (*Kernel, error) {
	st, err := s.stageKernel(a.Name, a.Replace, a.instead)
	if err != nil {
		return nil, err
	}
	defer st.Discard()
	parts, err := kernel.Find(ctx, a.Files)
	if err != nil {
		return nil, err
	}
	if err := a.expect(parts); err != nil {
		return nil, err
	}
	m := making{Addition: a, Parts: parts, dir: st.Path}
	record, err := m.make(ctx)
	if err != nil {
		return nil, err
	}
	if err := syncFilesystem(st.Path); err != nil {
		return nil, err
	}
	if err := st.Sync(); err != nil {
		return nil, err
	}
	// What has the name by now may be another's.
	return &Kernel{a.Name, filepath.Join(s.kernels(), a.Name), record}, nil
}

// expect refuses a kernel that is not the one that was to be added.
func (a *Addition) expect(parts *kernel.Parts) error {
	if a.Arch != "" && a.Arch != parts.Arch {
		return status.Errorf(status.Bad, "a kernel for %s, not %s", parts.Arch, a.Arch)
	}
	if !begins(parts.Release, a.Release) {
		return status.Errorf(status.Bad, "a kernel of release %s, not %s", parts.Release, a.Release)
	}
	return nil
}

// begins reports whether a release begins with whole words of another:
// 6.1.0-56-cloud with 6.1 and 6.1.0-56, but not with 6.1.0-5.
func begins(release, with string) bool {
	rest, is := strings.CutPrefix(release, with)
	return is && (with == "" || rest == "" || strings.Contains(".-_+~", rest[:1]))
}

// Scratch makes a directory among the kernels, for what one is made from. It
// is never committed: Discard removes it, or the next run's sweep. A kernel that
// has the name is an error, unless it is to be replaced.
func (s *Store) Scratch(name string, replace bool) (*stage.Stage, error) {
	return s.stageKernel(name, replace, nil)
}

func (s *Store) stageKernel(name string, replace bool, instead *os.File) (*stage.Stage, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	dir := filepath.Join(s.kernels(), name)
	if err := os.MkdirAll(s.kernels(), 0o777); err != nil {
		return nil, status.With(status.Create, fmt.Errorf("%s: %w", dir, err))
	}
	o := stage.Options{Instead: instead}
	if replace {
		o.Replaces = isKernel
	}
	return stage.NewDir(dir, o)
}

// A making is a kernel's directory being made.
type making struct {
	Addition
	*kernel.Parts
	dir string
}

func (m *making) path(part string) string { return filepath.Join(m.dir, part) }

// make fills the directory, and returns the record of it.
func (m *making) make(ctx context.Context) (*KernelRecord, error) {
	parts := newCopier(m.Files)
	for from, part := range map[string]string{
		m.BzImage: bzImagePart, m.Config: configPart, m.Initrd: initrdPart, m.Modules: modulesPart,
	} {
		if from == "" {
			continue
		}
		if err := parts.part(ctx, m.path(part), from); err != nil {
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

// vmlinux writes the kernel as a VMM loads it, and its configuration if it
// came with none but has one inside. It returns what the kernel says at boot.
func (m *making) vmlinux(ctx context.Context) (banner string, err error) {
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

// extract writes the kernel in a file as a VMM loads it.
func (m *making) extract(ctx context.Context, from string) error {
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

// initrd makes an initial ramdisk, if the kernel needs one.
func (m *making) initrd() error {
	config, modules, err := configuration(m.dir)
	if err != nil || !kernel.NeedsInitrd(config, modules) {
		return err
	}
	out, err := os.OpenFile(m.path(initrdPart), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	r := ramdisk{arch: m.Parts.Arch, release: m.Parts.Release, config: config, modules: modules, init: m.Init}
	return errors.Join(r.write(out, nil), out.Close())
}

// record writes kernel.json.
func (m *making) record(ctx context.Context) (*KernelRecord, error) {
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
