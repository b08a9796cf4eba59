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
	"banger/lib/store"
)

// File is the name of a catalog in a configuration directory.
const File = "kernels.json"

// systemWide is the catalog of the machine's administrator.
const systemWide = "/etc/banger/" + File

// ErrNotOffered means that there is no catalog, or that none has the kernel.
var ErrNotOffered = errors.New("not in a catalog of kernels")

// A Set is a list of catalogs in the order they are searched.
type Set []*Catalog

// load reads the catalog at where, a file or a URL. If where is "", it reads those
// of the configuration directory and of the system that exist.
func load(ctx context.Context, web registry.Transport, where, config string) (Set, error) {
	if where != "" {
		c, err := loadOne(ctx, web, where)
		if err != nil {
			return nil, fmt.Errorf("catalog %s: %w", where, err)
		}
		return Set{c}, nil
	}
	var all Set
	for _, where := range []string{filepath.Join(config, File), systemWide} {
		c, err := loadOne(ctx, web, where)
		switch {
		case err == nil:
			all = append(all, c)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("catalog %s: %w", where, err)
		}
	}
	if len(all) == 0 {
		return nil, status.Hint(status.Errorf(status.NoInput, "%w: neither %s nor %s exists",
			ErrNotOffered, filepath.Join(config, File), systemWide), "banger kernel debian, or --catalog FILE|URL")
	}
	return all, nil
}

// find returns the entry of a name in the first catalog that has one.
func (s Set) find(name string) (*Catalog, *Entry, error) {
	var names []string
	for _, c := range s {
		e, err := c.Find(name)
		if e != nil || err != nil {
			return c, e, err
		}
		names = append(names, c.names()...)
	}
	err := status.Errorf(status.NoInput, "%w%s", ErrNotOffered, offered(names))
	if len(names) == 0 {
		return nil, nil, hintDebian(err, name)
	}
	return nil, nil, status.Hint(err, "banger kernel list --available")
}

// hintDebian adds to an error how to get a kernel of a name without a catalog.
func hintDebian(err error, name string) error {
	if store.CheckName(name) != nil {
		return status.Hint(err, "banger kernel debian, or --catalog FILE|URL")
	}
	return status.Hint(err, "banger kernel debian %s, or --catalog FILE|URL", name)
}

// offered lists some names for a message.
func offered(names []string) string {
	const limit = 8
	switch n := len(names); {
	case n == 0:
		return ""
	case n > limit:
		names = append(names[:limit:limit], "...")
	}
	return ", which has " + strings.Join(names, ", ")
}

func loadOne(ctx context.Context, web registry.Transport, where string) (*Catalog, error) {
	r, err := open(ctx, web, where)
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

// isURL reports whether where is a URL and not a file.
func isURL(where string) bool {
	return strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://")
}
