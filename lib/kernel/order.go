// SPDX-License-Identifier: Apache-2.0

package kernel

import "banger/lib/status"

// Order returns modules and all that they need, each behind what it needs, as
// modules.dep would have them. What is built in is left out.
func (m *Modules) Order(names ...string) ([]Module, error) {
	o := &order{Modules: m, seen: map[string]bool{}}
	for _, name := range names {
		if err := o.need(name); err != nil {
			return nil, err
		}
	}
	return o.done, nil
}

// An order is a list of modules being made.
type order struct {
	*Modules
	seen map[string]bool
	done []Module

	count, size, wishes int // modules, their bytes, and what they wish for
}

// What may be asked for at most. All of it is in memory at once, and what an
// initial ramdisk takes are a dozen modules of some 3 MB.
const (
	maxOrder  = 256 << 20 // bytes
	maxCount  = 128
	maxWishes = 1024 // for each, all modules may be looked through
)

// check refuses more than the bounds.
func (o *order) check() error {
	if o.count > maxCount || o.size > maxOrder || o.wishes > maxWishes {
		return status.Errorf(status.Bad, "more than %d modules, %d bytes of them or %d softdeps are needed", maxCount, maxOrder, maxWishes)
	}
	return nil
}

// need adds a module that must be there, behind what it needs itself.
func (o *order) need(name string) error {
	if o.seen[name] || o.Builtin(name) {
		return nil
	}
	o.seen[name] = true
	if !o.Has(name) {
		return status.Errorf(status.Bad, "module %s: neither built in nor among the modules", name)
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
	for _, wish := range in.wishes {
		if err := o.want(wish); err != nil {
			return err
		}
	}
	o.done = append(o.done, Module{name, data})
	return nil
}

// load reads a module, if there may be one more.
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

// want adds what a module would like to be there before it (MODULE_SOFTDEP):
// a module, or all that go by an alias. It may also not be there.
func (o *order) want(name string) error {
	o.wishes++
	if err := o.check(); err != nil {
		return err
	}
	switch {
	case o.Builtin(name):
		return nil
	case o.Has(name):
		return o.need(name)
	}
	goBy, err := o.aliased(name)
	for _, name := range goBy {
		if err == nil {
			err = o.need(name)
		}
	}
	return err
}
