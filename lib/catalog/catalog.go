// SPDX-License-Identifier: Apache-2.0

// Package catalog reads catalogs of kernels and pulls kernels into the store.
package catalog

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"

	"banger/lib/input"
	"banger/lib/registry"
	"banger/lib/status"
	"banger/lib/store"
)

// maxCatalog bounds a catalog, in bytes.
const maxCatalog = 16 << 20

// A Catalog is a JSON document that lists kernels.
type Catalog struct {
	From    string  `json:"-"` // the file or URL it was read from
	Version int     `json:"version"`
	Entries []Entry `json:"entries"`
}

// An Entry is a kernel that can be pulled: either a tarball, as made by
// banger-kernel pack, or an image in a registry.
type Entry struct {
	Name          string `json:"name"`
	Distro        string `json:"distro,omitempty"`
	Arch          string `json:"arch"`                 // amd64, arm64
	KernelVersion string `json:"kernel_version"`       // the release or a prefix of it: 6.1 for 6.1.0-x
	SizeBytes     int64  `json:"size_bytes,omitempty"` // of the tarball
	Description   string `json:"description,omitempty"`
	TarballURL    string `json:"tarball_url,omitempty"` // may be relative to the catalog
	TarballSHA256 string `json:"tarball_sha256,omitempty"`
	Ref           string `json:"ref,omitempty"` // an OCI reference by digest

	damage error // from decoding it
}

// UnmarshalJSON decodes an entry. It keeps an error for Check, so that one bad
// entry does not hide the others.
func (e *Entry) UnmarshalJSON(raw []byte) error {
	type plain Entry
	e.damage = plainly(json.Unmarshal(raw, (*plain)(e)))
	return nil
}

// plainly words a type error without the names of Go types.
func plainly(err error) error {
	var mismatch *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &mismatch):
		return err
	case mismatch.Field == "":
		return fmt.Errorf("is a JSON %s", mismatch.Value)
	}
	return fmt.Errorf("%s is a JSON %s", mismatch.Field, mismatch.Value)
}

// Parse reads a catalog. It does not check the entries: one bad entry does not
// hide the others.
func Parse(from string, raw []byte) (*Catalog, error) {
	if len(raw) > maxCatalog {
		return nil, status.Errorf(status.Bad, "more than %d bytes", maxCatalog)
	}
	c := &Catalog{From: from}
	if err := input.Unmarshal(raw, c, input.MaxValues); err != nil {
		return nil, status.Errorf(status.Bad, "not a catalog of kernels: %w", plainly(err))
	}
	if c.Version != 1 {
		return nil, status.Errorf(status.Bad, "version %d is unknown", c.Version)
	}
	return c, nil
}

// Find returns the entry of a name, or nil. It is an error if the entry is bad or
// not unique.
func (c *Catalog) Find(name string) (*Entry, error) {
	var found *Entry
	for i := range c.Entries {
		switch e := &c.Entries[i]; {
		case e.Name != name:
		case found != nil:
			return nil, fmt.Errorf("catalog %s: %w", c.From, e.duplicate())
		default:
			found = e
		}
	}
	if found == nil {
		return nil, nil
	}
	if err := found.Check(); err != nil {
		return nil, fmt.Errorf("catalog %s: %w", c.From, err)
	}
	return found, nil
}

// Offers returns the entries that Find would return. It passes the errors of the
// others to damaged.
func (c *Catalog) Offers(damaged func(error)) (all []*Entry) {
	count, reported := map[string]int{}, map[string]bool{}
	for _, e := range c.Entries {
		count[e.Name]++
	}
	for i := range c.Entries {
		e := &c.Entries[i]
		if err := e.Check(); err != nil {
			damaged(err)
		} else if count[e.Name] == 1 {
			all = append(all, e)
		} else if !reported[e.Name] {
			reported[e.Name] = true
			damaged(e.duplicate())
		}
	}
	return all
}

func (e *Entry) duplicate() error {
	return status.Errorf(status.Bad, "entry %s: duplicate name", e.Name)
}

// names returns the valid names of entries.
func (c *Catalog) names() (all []string) {
	for _, e := range c.Entries {
		if store.CheckName(e.Name) == nil {
			all = append(all, e.Name)
		}
	}
	return all
}

// Check returns an error if the entry is invalid.
func (e *Entry) Check() error {
	if err := store.CheckName(e.Name); err != nil {
		return status.Errorf(status.Bad, "entry %q: not a valid name", e.Name)
	}
	if err := e.check(); err != nil {
		return status.Errorf(status.Bad, "entry %s: %w", e.Name, err)
	}
	return nil
}

func (e *Entry) check() error {
	switch {
	case e.damage != nil:
		return e.damage
	case !slices.Contains([]string{"amd64", "arm64"}, e.Arch):
		return fmt.Errorf("arch %q: neither amd64 nor arm64", e.Arch)
	case e.KernelVersion == "":
		return fmt.Errorf("no kernel_version")
	case (e.TarballURL == "") == (e.Ref == ""):
		return fmt.Errorf("needs either tarball_url or ref")
	case e.Ref != "":
		if err := registry.CheckPinned(e.Ref); err != nil {
			return fmt.Errorf("ref %q: not a reference by digest, NAME@sha256:...: %w", e.Ref, err)
		}
		return nil
	case e.SizeBytes <= 0:
		return fmt.Errorf("size_bytes %d: not a size", e.SizeBytes)
	}
	if sum, err := hex.DecodeString(e.TarballSHA256); err != nil || len(sum) != 32 || hex.EncodeToString(sum) != e.TarballSHA256 {
		return fmt.Errorf("tarball_sha256 %q: not 64 lower-case hexadecimal digits", e.TarballSHA256)
	}
	u, err := url.Parse(e.TarballURL)
	if err != nil || u.Scheme != "" && (!isURL(e.TarballURL) || u.Host == "") {
		return fmt.Errorf("tarball_url %q: neither http nor https nor relative to the catalog", e.TarballURL)
	}
	return nil
}

// Location returns the URL or the path of an entry's tarball. A relative one is
// relative to the catalog.
func (c *Catalog) Location(e *Entry) (string, error) {
	switch {
	case isURL(e.TarballURL):
		return e.TarballURL, nil
	case !isURL(c.From):
		if filepath.IsAbs(e.TarballURL) {
			return e.TarballURL, nil
		}
		return filepath.Join(filepath.Dir(c.From), e.TarballURL), nil
	}
	base, err := url.Parse(c.From)
	if err != nil {
		return "", err
	}
	u, err := base.Parse(e.TarballURL)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}
