// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"banger/lib/tar"
	"banger/lib/tree"
)

// setTime sets the mtime, clamped to the range of ext4.
func (r *Reader) setTime(n *tree.Inode, h *tar.Header) {
	if !n.SetTime(h.Sec, h.Nsec) {
		r.warn("time", "%q: mtime %d out of range of ext4: clamped", h.Name, h.Sec)
	}
}

// Key prefixes of pax records that hold extended attributes. star and GNU tar
// write raw values, bsdtar encoded ones.
const (
	schily     = "SCHILY.xattr."
	libarchive = "LIBARCHIVE.xattr."
)

// setXattrs sets the extended attributes that the kernel accepts.
func (r *Reader) setXattrs(n *tree.Inode, h *tar.Header) error {
	if len(h.Records) == 0 {
		return nil
	}
	values := make(map[string]string)
	for _, record := range h.Records {
		r.warnUnsupported(h.Name, record.Key)
		name, ok := strings.CutPrefix(record.Key, libarchive)
		if !ok {
			continue
		}
		name, err := url.PathUnescape(name)
		if err != nil {
			return fmt.Errorf("pax record %q: %v", record.Key, err)
		}
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(record.Value, "="))
		if err != nil {
			return fmt.Errorf("pax record %q: %v", record.Key, err)
		}
		values[name] = string(raw)
	}
	for _, record := range h.Records {
		if name, ok := strings.CutPrefix(record.Key, schily); ok {
			values[name] = strings.Clone(record.Value) // do not retain the header
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(values[name]) > tree.MaxXattr {
			return fmt.Errorf("xattr %s too large: %d bytes (limit %d)", name, len(values[name]), tree.MaxXattr)
		}
		if !tree.Settable(n.Type, name) {
			r.warn("xattr "+name, "%q: xattr %q: not allowed on a %v: skipped", h.Name, name, n.Type)
			continue
		}
		n.Xattrs = append(n.Xattrs, tree.Xattr{Name: strings.Clone(name), Value: values[name]})
	}
	return r.countMeta(int64(len(n.Xattrs)) * xattrCost)
}

// xattrCost is the memory an attribute takes besides its name and value, in
// bytes. Many empty attributes must count too.
const xattrCost = 64

// warnUnsupported warns about pax records with metadata that is not supported.
func (r *Reader) warnUnsupported(name, key string) {
	for _, prefix := range []string{"SCHILY.acl.", "SCHILY.fflags", "RHT."} {
		if strings.HasPrefix(key, prefix) {
			r.warn("pax "+prefix, "%q: pax record %s: unsupported: skipped, also in later entries", name, key)
		}
	}
}

// warnings holds the kinds of warnings already given.
type warnings struct {
	given sync.Map
	kinds atomic.Int64
}

// maxWarnings limits the kinds of warnings for one image: every attribute name
// is a kind.
const maxWarnings = 100

// warn gives a warning once for each kind.
func (r *Reader) warn(kind, format string, args ...any) {
	if _, again := r.warned.given.Load(kind); again || r.Warn == nil || r.warned.kinds.Load() > maxWarnings {
		return
	}
	if _, again := r.warned.given.LoadOrStore(kind, true); again {
		return
	}
	switch n := r.warned.kinds.Add(1); {
	case n <= maxWarnings:
		r.Warn(fmt.Sprintf(format, args...))
	case n == maxWarnings+1:
		r.Warn("too many warnings: further ones are suppressed")
	}
}
