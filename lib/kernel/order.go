// SPDX-License-Identifier: Apache-2.0

package kernel

import "banger/lib/status"

// Order returns modules and their dependencies in load order, as modules.dep
// gives it. It leaves out what is built in.
func (m *Modules) Order(names ...string) ([]Module, error) {
	o := &order{Modules: m, seen: map[string]bool{}}
	for _, name := range names {
		if err := o.need(name); err != nil {
			return nil, err
		}
	}
	return o.done, nil
}

// An order is a list of modules under construction.
type order struct {
	*Modules
	seen map[string]bool
	done []Module

	count, size, softdeps int // of the modules; size in bytes
}

// Limits: all modules are in memory at once. An initial ramdisk has about a dozen,
// of 3 MB in total.
const (
	maxOrder    = 256 << 20 // bytes
	maxCount    = 128
	maxSoftdeps = 1024 // each may read all modules
)

// check enforces the limits.
func (o *order) check() error {
	if o.count > maxCount || o.size > maxOrder || o.softdeps > maxSoftdeps {
		return status.Errorf(status.Bad, "more than %d modules, %d bytes or %d softdeps are needed", maxCount, maxOrder, maxSoftdeps)
	}
	return nil
}

// need adds a module after its dependencies.
func (o *order) need(name string) error {
	if o.seen[name] || o.Builtin(name) {
		return nil
	}
	o.seen[name] = true
	if !o.Has(name) {
		return status.Errorf(status.Bad, "module %s: not found", name)
	}
	data, err := o.load(name)
	if err != nil {
		return err
	}
	in, err := readInfo(data)
	if err != nil {
		return status.Errorf(status.Bad, "module %s: %w", name, err)
	}
	for _, dependency := range in.depends {
		if err := o.need(dependency); err != nil {
			return err
		}
	}
	for _, dependency := range in.softdeps {
		if err := o.want(dependency); err != nil {
			return err
		}
	}
	o.done = append(o.done, Module{name, data})
	return nil
}

// load reads a module within the limits.
func (o *order) load(name string) ([]byte, error) {
	o.count++
	if err := o.check(); err != nil {
		return nil, err
	}
	data, err := o.read(name)
	if err != nil {
		return nil, err
	}
	o.size += len(data)
	return data, o.check()
}

// want adds a soft dependency (MODULE_SOFTDEP), which is a module or an alias of
// modules, if it exists.
func (o *order) want(name string) error {
	o.softdeps++
	if err := o.check(); err != nil {
		return err
	}
	switch {
	case o.Builtin(name):
		return nil
	case o.Has(name):
		return o.need(name)
	}
	names, err := o.aliased(name)
	for _, name := range names {
		if err == nil {
			err = o.need(name)
		}
	}
	return err
}
