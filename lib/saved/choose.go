// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/layout"
	"banger/lib/status"
)

// choose returns the image of a layout that the reference names, and the name it has
// there, "" for none. Without a name in the reference there must be one image: the
// entries of index.json have one name, or one digest.
func (p *pull) choose(ctx context.Context, from *layout.Layout) (*layout.Image, string, error) {
	entries, err := from.Entries()
	if err != nil {
		return nil, "", err
	}
	if p.at.digest != "" {
		image, err := from.Image(ctx, layout.Ref{Digest: p.at.digest}, p.Platform)
		return image, p.nameOfDigest(entries), err
	}
	if p.at.name != "" {
		entries = p.named(entries)
	}
	if err := p.checkOne(entries); err != nil {
		return nil, "", err
	}
	chosen, err := from.Choose(entries, p.Platform)
	if err != nil {
		return nil, "", err
	}
	image, err := from.Held(ctx, chosen, p.Platform)
	return image, p.keptName(entries[0]), err
}

// keptName returns the name of an entry and warns if it cannot be kept.
func (p *pull) keptName(d v1.Descriptor) string {
	name := p.name(d)
	if given := d.Annotations[containerdName] + d.Annotations[v1.AnnotationRefName]; name == "" && given != "" {
		p.Warn(fmt.Sprintf("%q: not a name of an image; it is kept without one", given))
	}
	return name
}

// nameOfDigest returns the name of the first entry that has the digest of the
// reference.
func (p *pull) nameOfDigest(entries []v1.Descriptor) string {
	for _, d := range entries {
		if d.Digest == p.at.digest {
			return p.keptName(d)
		}
	}
	return ""
}

// named returns the entries that have the name of the reference, as it is written
// or as docker completes it.
func (p *pull) named(entries []v1.Descriptor) (fit []v1.Descriptor) {
	for _, d := range entries {
		name := p.name(d)
		if name != "" && (name == p.at.name || name == complete(p.at.name)) || d.Annotations[v1.AnnotationRefName] == p.at.name {
			fit = append(fit, d)
		}
	}
	return fit
}

// checkOne returns an error unless the entries are those of one image.
func (p *pull) checkOne(entries []v1.Descriptor) error {
	if len(entries) == 0 && p.at.name != "" {
		return status.Errorf(status.NoInput, "%s: no such image", p.at.name)
	}
	if len(entries) == 0 {
		return status.Errorf(status.NoInput, "no image")
	}
	names, digests := map[string]bool{}, map[digest.Digest]bool{}
	var all []string
	for _, d := range entries {
		names[p.name(d)] = true
		if !digests[d.Digest] {
			digests[d.Digest] = true
			all = append(all, p.suffix(d))
		}
	}
	if len(names) == 1 || len(digests) == 1 {
		return nil
	}
	err := status.Errorf(status.Usage, "%d images: %s", len(all), strings.Join(trimmed(all), ", "))
	return status.Hint(err, "banger-fetch %s", p.at.with(all[0]))
}

// suffix returns what selects an entry when it follows a path: :NAME or @DIGEST.
func (p *pull) suffix(d v1.Descriptor) string {
	if name := p.name(d); name != "" {
		if tag := d.Annotations[v1.AnnotationRefName]; p.at.isLayout && tag != "" {
			return ":" + tag
		}
		return ":" + name
	}
	return "@" + string(d.Digest)
}

func trimmed(suffixes []string) (names []string) {
	for _, s := range suffixes {
		names = append(names, strings.TrimLeft(s, ":@"))
	}
	return names
}

// containerdName is the annotation in which docker save and containerd keep the
// full name of an image.
const containerdName = "io.containerd.image.name"

// name returns the name of an entry of index.json, "" for none.
func (p *pull) name(d v1.Descriptor) string {
	if full := d.Annotations[containerdName]; nameForm.MatchString(full) {
		return complete(full)
	}
	name := d.Annotations[v1.AnnotationRefName]
	switch {
	case !nameForm.MatchString(name):
		return ""
	case !strings.ContainsAny(name, ":/"):
		return p.at.local(name)
	}
	return name
}

// nameForm is the form of names in an index (image-spec, annotations.md), without @.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9]+([-._:/+]+[A-Za-z0-9]+)*$`)

// complete returns a name as docker completes it: app is docker.io/library/app:latest.
func complete(name string) string {
	domain, rest, found := strings.Cut(name, "/")
	switch {
	case !found || !strings.ContainsAny(domain, ".:") && domain != "localhost":
		domain, rest = "docker.io", name
	case domain == "index.docker.io":
		domain = "docker.io"
	}
	if domain == "docker.io" && !strings.Contains(rest, "/") {
		rest = "library/" + rest
	}
	if !strings.Contains(rest, ":") {
		rest += ":latest"
	}
	return domain + "/" + rest
}
