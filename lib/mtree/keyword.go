// SPDX-License-Identifier: Apache-2.0

package mtree

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"banger/lib/tree"
)

// A parser parses the keywords of one line.
type parser struct {
	*record
	seen [9]bool // by index in keywords
}

// keywords are the keywords that a line has at most once.
var keywords = []string{"type", "uid", "gid", "mode", "time", "nlink", "size", "link", "device"}

// has reports whether the line has a keyword.
func (p *parser) has(key string) bool { return p.seen[slices.Index(keywords, key)] }

// keyword parses one KEY=VALUE.
func (p *parser) keyword(field string) error {
	key, value, _ := strings.Cut(field, "=")
	if i := slices.Index(keywords, key); i >= 0 {
		if p.seen[i] {
			return errDuplicate
		}
		p.seen[i] = true
	}
	n := p.inode
	var err error
	switch key {
	case "type":
		var ok bool
		if n.Type, ok = tree.ParseType(value); !ok {
			err = errors.New("unknown type")
		}
	case "uid":
		n.UID, err = number32(value, 10, 1<<32-2)
	case "gid":
		n.GID, err = number32(value, 10, 1<<32-2)
	case "mode":
		var mode uint32
		mode, err = number32(value, 8, 0o7777)
		n.Mode = uint16(mode)
	case "nlink":
		var links uint32
		links, err = number32(value, 10, tree.MaxLinks)
		p.nlink = int(links)
	case "size":
		n.Size, err = strconv.ParseInt(value, 10, 64)
	case "link":
		n.Target, err = unescape(strings.Clone(value)) // do not retain the line
	case "time":
		n.Sec, n.Nsec, err = parseTime(value)
	case "device":
		n.Major, n.Minor, err = parseDevice(value)
	default:
		err = p.xattr(key, value)
	}
	return err
}

var errDuplicate = errors.New("duplicate keyword")

// xattr parses xattr.NAME=BASE64.
func (p *parser) xattr(key, value string) error {
	name, ok := strings.CutPrefix(key, "xattr.")
	if !ok {
		return errors.New("unknown keyword")
	}
	name, err := unescape(name)
	if err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return err
	}
	p.inode.Xattrs = append(p.inode.Xattrs, tree.Xattr{Name: name, Value: string(raw)})
	return nil
}

// typeKeywords holds the keyword that a type requires and others do not allow.
var typeKeywords = map[tree.Type]string{tree.File: "size", tree.Symlink: "link", tree.Char: "device", tree.Block: "device"}

// complete checks that the line has the keywords of its type and no others.
func (p *parser) complete() error {
	t := p.inode.Type
	required := typeKeywords[t]
	for _, key := range keywords[:5] {
		if !p.has(key) {
			return fmt.Errorf("missing %s=", key)
		}
	}
	if required != "" && !p.has(required) {
		return fmt.Errorf("missing %s=", required)
	}
	for _, key := range keywords[6:] {
		if p.has(key) && required != key {
			return fmt.Errorf("%s= not allowed for type %v", key, t)
		}
	}
	switch target := p.inode.Target; {
	case t == tree.Symlink && (target == "" || len(target) > tree.MaxTarget):
		return fmt.Errorf("invalid link target of %d bytes (limit %d)", len(target), tree.MaxTarget)
	case t == tree.Dir && p.nlink > 0:
		return fmt.Errorf("nlink= not allowed for type %v", t)
	case p.inode.Size < 0:
		return errors.New("negative size")
	}
	xattrs := p.inode.Xattrs
	slices.SortFunc(xattrs, func(a, b tree.Xattr) int { return cmp.Compare(a.Name, b.Name) })
	for i := range xattrs[:max(1, len(xattrs))-1] {
		if xattrs[i].Name == xattrs[i+1].Name {
			return fmt.Errorf("xattr.%s=: %w", truncate(Escape(xattrs[i].Name)), errDuplicate)
		}
	}
	return nil
}

// number32 parses a number that is at most limit.
func number32(s string, base int, limit uint64) (uint32, error) {
	v, err := strconv.ParseUint(s, base, 32)
	if err == nil && v > limit {
		err = strconv.ErrRange
	}
	return uint32(v), err
}

// parseTime parses SECONDS.NANOSECONDS. The nanoseconds count up from the
// seconds, even before 1970.
func parseTime(s string) (int64, uint32, error) {
	whole, fraction, found := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err == nil && (sec < tree.MinTime || sec > tree.MaxTime) {
		err = errors.New("out of range of ext4")
	}
	if err != nil || !found {
		return sec, 0, err
	}
	if len(fraction) != 9 {
		return 0, 0, errors.New("want nine digits of nanoseconds")
	}
	nsec, err := number32(fraction, 10, 999_999_999)
	return sec, nsec, err
}

// parseDevice parses linux,MAJOR,MINOR.
func parseDevice(s string) (major, minor uint32, err error) {
	parts := strings.Split(s, ",")
	if len(parts) != 3 || parts[0] != "linux" {
		return 0, 0, errors.New("want linux,MAJOR,MINOR")
	}
	if major, err = number32(parts[1], 10, 1<<12-1); err != nil {
		return 0, 0, err
	}
	minor, err = number32(parts[2], 10, 1<<20-1)
	return major, minor, err
}
