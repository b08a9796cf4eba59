// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/archive"
	"banger/lib/bundle"
	"banger/lib/guest"
	"banger/lib/input"
	"banger/lib/kernel"
	"banger/lib/layout"
	"banger/lib/registry"
	"banger/lib/status"
	"banger/lib/store"
	"banger/lib/xdg"
)

// A Puller pulls kernels from catalogs into a store.
type Puller struct {
	Replace  bool // an existing kernel of that name
	Warn     func(text string)
	Progress func(total, done int64) // bytes

	store  *store.Store
	source registry.Source // its platform is set for each entry
	web    registry.Transport
	cache  string // the layout for fetched images
	config string // the user's configuration directory
}

// NewPuller returns a Puller that uses the user's directories, and gives up on a
// server that is silent for the given time.
func NewPuller(s *store.Store, getenv func(string) string, silence time.Duration) (*Puller, error) {
	cache, err := xdg.Cache(getenv)
	if err != nil {
		return nil, err
	}
	config, err := xdg.Config(getenv)
	if err != nil {
		return nil, err
	}
	return &Puller{
		store: s, cache: cache, config: config,
		source:   registry.NewSource(getenv),
		web:      registry.NewTransport(silence),
		Progress: func(int64, int64) {},
	}, nil
}

// Catalogs reads the catalog at where, a file or a URL. If where is "", it reads
// those of the user and of the system.
func (p *Puller) Catalogs(ctx context.Context, where string) (Set, error) {
	return load(ctx, p.web, where, p.config)
}

// plain matches the path or URL of a catalog that needs no quoting in a shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9/._:+@%=-]+$`)

// Pull adds the kernel of a name in a catalog, after checking it against its
// entry. where is as for Catalogs.
func (p *Puller) Pull(ctx context.Context, where, name string) (*store.Kernel, error) {
	set, err := p.Catalogs(ctx, where)
	if errors.Is(err, ErrNotOffered) {
		err = hintDebian(err, name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c, e, err := set.find(name)
	if errors.Is(err, ErrNotOffered) && plain.MatchString(where) {
		err = status.Hint(err, "banger kernel list --available --catalog %s", where)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	scratch, err := p.store.Scratch(name, p.Replace)
	if err != nil {
		return nil, err
	}
	defer scratch.Discard()
	get, from := p.tarball, e.TarballURL
	if e.Ref != "" {
		get, from = p.image, e.Ref
	}
	dir, err := get(ctx, scratch.Path, c, e)
	if err == nil {
		var k *store.Kernel
		if k, err = p.add(ctx, dir, from, e); err == nil {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

// add adds the kernel in a directory.
func (p *Puller) add(ctx context.Context, dir, from string, e *Entry) (*store.Kernel, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return p.store.AddKernel(ctx, store.Addition{
		Name: e.Name, Files: root.FS(), Source: from, Distro: e.Distro, Arch: e.Arch, Release: e.KernelVersion,
		Replace: p.Replace, Now: time.Now(), Init: guest.Program,
	})
}

// tarball downloads and unpacks an archive at the same time.
func (p *Puller) tarball(ctx context.Context, scratch string, c *Catalog, e *Entry) (string, error) {
	where, err := c.Location(e)
	if err != nil {
		return "", err
	}
	body, err := open(ctx, p.web, where)
	if err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	defer body.Close()
	p.Progress(e.SizeBytes, 0)
	in := &checked{r: body, want: e.SizeBytes, sum: sha256.New(), progress: p.Progress}
	dir := filepath.Join(scratch, "files")
	err = archive.Unpack(ctx, dir, in, p.Warn)
	if e := in.verify(ctx, e.TarballSHA256); e != nil {
		err = e // the reason, if it could not be unpacked
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	return dir, nil
}

// image fetches an image and replays its layers.
func (p *Puller) image(ctx context.Context, scratch string, _ *Catalog, e *Entry) (string, error) {
	to, err := layout.NewWriter(ctx, p.cache, p.Warn)
	if err != nil {
		return "", err
	}
	defer to.Close()
	source := p.source
	source.Warn = p.Warn
	source.Platform = v1.Platform{OS: "linux", Architecture: e.Arch}
	ref, err := source.Pull(ctx, to, e.Ref, p.Progress)
	if err != nil {
		return "", fmt.Errorf("%s: %w", e.Ref, err)
	}
	from, err := layout.Open(ref.Dir)
	if err != nil {
		return "", err
	}
	image, err := from.Image(ctx, ref, source.Platform)
	if err != nil {
		return "", err
	}
	defer image.Close()
	dst := filepath.Join(scratch, "image")
	o := bundle.Options{Reference: e.Ref, Layout: ref.Dir}
	o.MaxSize, o.MaxEntries = kernel.MaxSize, kernel.MaxEntries
	o.Warn, o.Progress = p.Warn, func(int64, int64) {}
	return filepath.Join(dst, bundle.TreeDir), bundle.Create(ctx, dst, image, o)
}

// open opens a file or a URL.
func open(ctx context.Context, web registry.Transport, where string) (io.ReadCloser, error) {
	if !isURL(where) {
		return input.OpenStream(ctx, where)
	}
	body, err := registry.Get(ctx, web, where)
	return body, err
}
