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

// setTime takes over the mtime, clamped to what ext4 can hold.
func (r *Reader) setTime(n *tree.Inode, h *tar.Header) {
	if !n.SetTime(h.Sec, h.Nsec) {
		r.warn("time", "%q: time %d is out of ext4's range: clamped", h.Name, h.Sec)
	}
}

// Where pax records carry extended attributes: star's and GNU tar's raw, and
// bsdtar's encoded.
const (
	schily     = "SCHILY.xattr."
	libarchive = "LIBARCHIVE.xattr."
)

// setXattrs takes over the extended attributes that a kernel could set.
func (r *Reader) setXattrs(n *tree.Inode, h *tar.Header) error {
	if len(h.Records) == 0 {
		return nil
	}
	values := make(map[string]string)
	for _, record := range h.Records {
		r.warnUnkept(h.Name, record.Key)
		name, is := strings.CutPrefix(record.Key, libarchive)
		if !is {
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
		if name, is := strings.CutPrefix(record.Key, schily); is {
			values[name] = strings.Clone(record.Value) // not with all its header
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(values[name]) > tree.MaxXattr {
			return fmt.Errorf("xattr %s of %d bytes", name, len(values[name]))
		}
		if !tree.Settable(n.Type, name) {
			r.warn("xattr "+name, "%q: xattr %q: no kernel sets it on a %v: skipped", h.Name, name, n.Type)
			continue
		}
		n.Xattrs = append(n.Xattrs, tree.Xattr{Name: strings.Clone(name), Value: values[name]})
	}
	return r.countMeta(int64(len(n.Xattrs)) * xattrCost)
}

// xattrCost is what an attribute takes in memory beside its name and value, in
// bytes: there may be many, and next to nothing in them.
const xattrCost = 64

// warnUnkept names pax records that carry metadata in a form that is not kept.
func (r *Reader) warnUnkept(name, key string) {
	for _, prefix := range []string{"SCHILY.acl.", "SCHILY.fflags", "RHT."} {
		if strings.HasPrefix(key, prefix) {
			r.warn("pax "+prefix, "%q: pax record %s: not kept, here and wherever it follows", name, key)
		}
	}
}

// onceEach remembers what has been said.
type onceEach struct {
	said  sync.Map
	kinds atomic.Int64
}

// maxWarnings is how many kinds of warnings an image may bring about: names of
// attributes are kinds, and there is no end to them.
const maxWarnings = 100

// warn says something once for each kind.
func (r *Reader) warn(kind, format string, args ...any) {
	if _, again := r.warned.said.Load(kind); again || r.Warn == nil || r.warned.kinds.Load() > maxWarnings {
		return
	}
	if _, again := r.warned.said.LoadOrStore(kind, true); again {
		return
	}
	switch n := r.warned.kinds.Add(1); {
	case n <= maxWarnings:
		r.Warn(fmt.Sprintf(format, args...))
	case n == maxWarnings+1:
		r.Warn("more warnings than can be read: the others are left out")
	}
}
