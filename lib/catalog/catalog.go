// SPDX-License-Identifier: Apache-2.0

// Package catalog knows which kernels can be had from elsewhere, and brings
// them into the store.
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

// An Entry is a kernel that can be pulled: either a tarball, as banger-kernel
// pack makes it, or an image in a registry.
type Entry struct {
	Name          string `json:"name"`
	Distro        string `json:"distro,omitempty"`
	Arch          string `json:"arch"`                 // amd64, arm64
	KernelVersion string `json:"kernel_version"`       // the release, or the beginning of it: 6.1 of 6.1.0-x
	SizeBytes     int64  `json:"size_bytes,omitempty"` // of the tarball
	Description   string `json:"description,omitempty"`
	TarballURL    string `json:"tarball_url,omitempty"` // may be relative to the catalog
	TarballSHA256 string `json:"tarball_sha256,omitempty"`
	Ref           string `json:"ref,omitempty"` // an OCI reference by digest

	damage error // what could not be read of it
}

// UnmarshalJSON reads an entry. One that cannot be read is kept for Check to
// tell of: it must not stand before the others.
func (e *Entry) UnmarshalJSON(raw []byte) error {
	type plain Entry
	e.damage = plainly(json.Unmarshal(raw, (*plain)(e)))
	return nil
}

// plainly says of a value of another type what it is, and not which of ours.
func plainly(err error) error {
	var is *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &is):
		return err
	case is.Field == "":
		return fmt.Errorf("it is a JSON %s", is.Value)
	}
	return fmt.Errorf("%s is a JSON %s", is.Field, is.Value)
}

// Parse reads a catalog. Its entries are checked when they are used, so that a
// damaged one does not stand before the others.
func Parse(from string, raw []byte) (*Catalog, error) {
	if len(raw) > maxCatalog {
		return nil, status.Errorf(status.Bad, "more than %d bytes", maxCatalog)
	}
	c := &Catalog{From: from}
	if err := input.Unmarshal(raw, c, input.MaxValues); err != nil {
		return nil, status.Errorf(status.Bad, "not a catalog of kernels: %w", plainly(err))
	}
	if c.Version != 1 {
		return nil, status.Errorf(status.Bad, "version %d is unknown: 1 is read", c.Version)
	}
	return c, nil
}

// Find returns the entry of a name, nil if there is none. One that is damaged,
// or there twice, is an error.
func (c *Catalog) Find(name string) (*Entry, error) {
	var found *Entry
	for i := range c.Entries {
		switch e := &c.Entries[i]; {
		case e.Name != name:
		case found != nil:
			return nil, fmt.Errorf("catalog %s: %w", c.From, e.twice())
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

// Offers returns the entries that Find finds. What is wrong with the others is
// passed to damaged.
func (c *Catalog) Offers(damaged func(error)) (all []*Entry) {
	times, said := map[string]int{}, map[string]bool{}
	for _, e := range c.Entries {
		times[e.Name]++
	}
	for i := range c.Entries {
		e := &c.Entries[i]
		if err := e.Check(); err != nil {
			damaged(err)
		} else if times[e.Name] == 1 {
			all = append(all, e)
		} else if !said[e.Name] {
			said[e.Name] = true
			damaged(e.twice())
		}
	}
	return all
}

func (e *Entry) twice() error {
	return status.Errorf(status.Bad, "entry %s: two entries of that name", e.Name)
}

// names are those of all entries that have one.
func (c *Catalog) names() (all []string) {
	for _, e := range c.Entries {
		if store.CheckName(e.Name) == nil {
			all = append(all, e.Name)
		}
	}
	return all
}

// Check returns what is wrong with an entry.
func (e *Entry) Check() error {
	if err := store.CheckName(e.Name); err != nil {
		return status.Errorf(status.Bad, "entry %q: not a name for a kernel", e.Name)
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
		return fmt.Errorf("arch %q: amd64 and arm64 are known", e.Arch)
	case e.KernelVersion == "":
		return fmt.Errorf("no kernel_version")
	case (e.TarballURL == "") == (e.Ref == ""):
		return fmt.Errorf("either tarball_url or ref")
	case e.Ref != "":
		if err := registry.CheckPinned(e.Ref); err != nil {
			return fmt.Errorf("ref %q: a reference by digest, NAME@sha256:...: %w", e.Ref, err)
		}
		return nil
	case e.SizeBytes <= 0:
		return fmt.Errorf("size_bytes %d: how long the tarball is", e.SizeBytes)
	}
	if sum, err := hex.DecodeString(e.TarballSHA256); err != nil || len(sum) != 32 || hex.EncodeToString(sum) != e.TarballSHA256 {
		return fmt.Errorf("tarball_sha256 %q: 64 digits of lower case", e.TarballSHA256)
	}
	u, err := url.Parse(e.TarballURL)
	if err != nil || u.Scheme != "" && (!isURL(e.TarballURL) || u.Host == "") {
		return fmt.Errorf("tarball_url %q: by http or https, or relative to the catalog", e.TarballURL)
	}
	return nil
}

// Location returns the URL or the file of an entry's tarball. One that is not
// absolute is beside the catalog.
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
