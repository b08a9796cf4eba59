// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"banger/lib/layout"
	"banger/lib/sparse"
	"banger/lib/status"
)

// A Report is called for each problem that Check finds, with the next step of the
// user, if there is one.
type Report func(problem, hint string)

// Check reads all blobs. A blob whose content has not its digest is moved away,
// unless it was replaced meanwhile. Check reports each, and each image that is not
// complete. It calls progress with the number of bytes to read, then with the number
// of bytes read.
func (c *Cache) Check(ctx context.Context, report Report, progress func(total, done int64)) error {
	if c.layout == nil {
		return nil
	}
	entries, err := c.layout.Entries()
	if err != nil {
		return err
	}
	g, err := newGraph(c.layout)
	if err != nil {
		return err
	}
	_, others, err := c.layout.Blobs()
	if err != nil {
		return err
	}
	for _, path := range others {
		c.warn(path + ": not a blob")
	}
	images := g.images(entries) // before blobs are moved away
	k := &checker{layout: c.layout, to: c.layout.Writer(c.warn), report: report, progress: progress, damaged: set{}}
	defer k.to.Close()
	for _, blob := range g.blobs {
		progress(blob.Size, 0)
	}
	for _, d := range slices.Sorted(maps.Keys(g.blobs)) {
		if err := k.blob(ctx, d); err != nil {
			return err
		}
	}
	for _, i := range images {
		k.image(i)
	}
	return k.err()
}

// A checker checks blobs, then images.
type checker struct {
	layout     *layout.Layout
	to         *layout.Writer
	report     Report
	progress   func(total, done int64)
	damaged    set
	unreadable int
	incomplete int
}

// blob reads a blob. The error is that of ctx.
func (k *checker) blob(ctx context.Context, d digest.Digest) error {
	f, err := k.layout.OpenBlob(d)
	if status.Of(err) == status.NoInput {
		return nil // removed since
	}
	if err != nil {
		k.unreadable++
		k.report(err.Error(), status.HintOf(err))
		return nil
	}
	defer f.Close()
	hash := d.Algorithm().Digester()
	_, err = io.Copy(hash.Hash(), sparse.Interruptible(ctx, &counted{f, k.progress}))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil && hash.Digest() == d:
		return nil
	}
	k.setAside(d, f, err)
	return nil
}

// setAside moves a damaged blob away. Cause is the error of reading, nil for wrong
// content.
func (k *checker) setAside(d digest.Digest, f *os.File, cause error) {
	problem := fmt.Sprintf("%s: damaged", d)
	if cause != nil {
		problem += ": " + cause.Error()
	}
	moved, err := k.to.SetAside(d, f)
	switch {
	case err != nil:
		problem += fmt.Sprintf("; it cannot be moved away: %v", err)
	case !moved:
		return // replaced or removed meanwhile
	default:
		problem += "; moved to " + k.layout.AsideDir()
	}
	k.damaged[d] = true
	k.report(problem, "")
}

// image reports an image that lacks a blob, or has a damaged one.
func (k *checker) image(i *Image) {
	var lacks int
	for _, d := range i.reach.missing {
		if f, err := k.layout.OpenBlob(d); err == nil { // fetched meanwhile
			f.Close()
		} else {
			lacks++
		}
	}
	for d := range k.damaged {
		if i.reach.manifests[d] || i.reach.content[d] {
			lacks++
		}
	}
	if lacks == 0 && i.reach.err == nil {
		return
	}
	k.incomplete++
	problem := fmt.Sprintf("lacks %s", plural(lacks, "blob"))
	if lacks == 0 {
		problem = i.reach.err.Error()
	}
	k.report(i.Name()+": "+problem, again(i))
}

// shellSafe matches references that a shell takes for one word.
var shellSafe = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$`)

// again returns how an image is fetched again.
func again(i *Image) string {
	if !shellSafe.MatchString(i.Reference) {
		return "fetch the image again by its digest"
	}
	command := "banger-fetch"
	if i.Platform != "" && i.Platform != layout.PlatformString(layout.DefaultPlatform) {
		command += " --platform " + i.Platform
	}
	command += " " + i.Reference
	if strings.HasPrefix(i.Reference, "localhost/") { // as banger-fetch calls what has no name
		command += ", or fetch it from the layout or archive that it came from"
	}
	return command
}

// err returns an error that counts what was found.
func (k *checker) err() error {
	if len(k.damaged)+k.unreadable+k.incomplete == 0 {
		return nil
	}
	text := fmt.Sprintf("%s damaged, %s not complete", plural(len(k.damaged), "blob"), plural(k.incomplete, "image"))
	if k.unreadable > 0 {
		text += fmt.Sprintf(", %s cannot be read", plural(k.unreadable, "blob"))
	}
	return status.Errorf(status.Bad, "%s", text)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// counted reports the bytes read.
type counted struct {
	io.Reader
	progress func(total, done int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.progress(0, int64(n))
	return n, err
}
