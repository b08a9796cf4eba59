// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"banger/lib/registry"
	"banger/lib/status"
)

// File is the name of a catalog in a directory of configuration.
const File = "kernels.json"

// systemWide is where a machine's administrator puts a catalog.
const systemWide = "/etc/banger/" + File

// ErrNotOffered says that there is no catalog, or that none has the kernel.
var ErrNotOffered = errors.New("not in a catalog of kernels")

// A Set are catalogs in the order they are looked into.
type Set []*Catalog

// load reads a catalog, a file or a URL; or, if where is "", those of the
// user's directory of configuration and of the system, as far as there are any.
func load(ctx context.Context, s *registry.Source, where, config string) (Set, error) {
	if where != "" {
		c, err := loadOne(ctx, s, where)
		if err != nil {
			return nil, fmt.Errorf("catalog %s: %w", where, err)
		}
		return Set{c}, nil
	}
	var all Set
	for _, where := range []string{filepath.Join(config, File), systemWide} {
		c, err := loadOne(ctx, s, where)
		switch {
		case err == nil:
			all = append(all, c)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("catalog %s: %w", where, err)
		}
	}
	if len(all) == 0 {
		return nil, status.Hint(status.Errorf(status.NoInput, "%w: neither %s nor %s is there",
			ErrNotOffered, filepath.Join(config, File), systemWide), "--catalog FILE|URL, or banger kernel add NAME of a distribution's package")
	}
	return all, nil
}

// find returns the entry of a name, of the first catalog that has one.
func (s Set) find(name string) (*Catalog, *Entry, error) {
	var names []string
	for _, c := range s {
		e, err := c.Find(name)
		if e != nil || err != nil {
			return c, e, err
		}
		names = append(names, c.names()...)
	}
	return nil, nil, status.Hint(status.Errorf(status.NoInput, "%w", ErrNotOffered), "%s", offered(names))
}

// offered tells which kernels there are, as far as a line holds them.
func offered(names []string) string {
	const most = 8
	switch n := len(names); {
	case n == 0:
		return "banger kernel add NAME of a distribution's package"
	case n == 1:
		return names[0] + " is; banger kernel list --available"
	case n > most:
		return strings.Join(names[:most], ", ") + " are; banger kernel list --available tells of all"
	}
	return strings.Join(names, ", ") + " are; banger kernel list --available"
}

func loadOne(ctx context.Context, s *registry.Source, where string) (*Catalog, error) {
	r, err := open(ctx, s, where)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, maxCatalog+1))
	if err != nil {
		return nil, err
	}
	return Parse(where, raw)
}

// isURL tells a URL from a file's name.
func isURL(where string) bool {
	return strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://")
}
