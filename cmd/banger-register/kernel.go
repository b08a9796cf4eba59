// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"time"

	"banger/lib/catalog"
	"banger/lib/filter"
	"banger/lib/status"
	"banger/lib/store"
)

// A choice is the kernel given by the flags: files, or a kernel of the store.
type choice struct {
	kernel, initrd, modules string
	ref                     string
}

// check refuses flags for two kernels, or for parts without a kernel.
func (k *choice) check() error {
	switch {
	case k.ref != "" && (k.kernel != "" || k.initrd != "" || k.modules != ""):
		return filter.Usagef("--kernel-ref brings its own --kernel, --initrd and --modules")
	case k.kernel == "" && (k.initrd != "" || k.modules != ""):
		return filter.Usagef("--initrd and --modules go with --kernel")
	}
	return nil
}

// open opens the kernel, nil for none. It pulls a kernel that is not in the store
// but in a catalog.
func (k *choice) open(ctx context.Context, tool *filter.Tool, s *store.Store) (*store.KernelFiles, error) {
	switch {
	case k.kernel != "":
		return store.Files(k.kernel, k.initrd, k.modules), nil
	case k.ref == "":
		return nil, nil
	}
	b, err := s.OpenKernel(k.ref)
	if status.Of(err) != status.NoInput {
		return b, err
	}
	p, e := catalog.NewPuller(s, os.Getenv, time.Minute)
	if e != nil {
		return nil, e
	}
	p.Warn = tool.Warn
	_, e = p.Pull(ctx, "", k.ref)
	b, again := s.OpenKernel(k.ref)
	switch {
	case e == nil, again == nil: // another process may have pulled it
		return b, again
	case errors.Is(e, catalog.ErrNotOffered):
		return nil, err // in neither
	}
	return nil, e
}
