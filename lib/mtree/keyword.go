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

// A parser reads the keywords of one line.
type parser struct {
	*record
	seen [9]bool // of keywords
}

// keywords are those that a line has once at the most.
var keywords = []string{"type", "uid", "gid", "mode", "time", "nlink", "size", "link", "device"}

// has tells whether the line has a keyword.
func (p *parser) has(key string) bool { return p.seen[slices.Index(keywords, key)] }

// keyword reads one KEY=VALUE.
func (p *parser) keyword(field string) error {
	key, value, _ := strings.Cut(field, "=")
	if i := slices.Index(keywords, key); i >= 0 {
		if p.seen[i] {
			return errors.New("said twice")
		}
		p.seen[i] = true
	}
	n := p.inode
	var err error
	switch key {
	case "type":
		var ok bool
		if n.Type, ok = tree.ParseType(value); !ok {
			err = errors.New("no such type")
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
		n.Target, err = unescape(strings.Clone(value)) // not to keep the line
	case "time":
		n.Sec, n.Nsec, err = parseTime(value)
	case "device":
		n.Major, n.Minor, err = parseDevice(value)
	default:
		err = p.xattr(key, value)
	}
	return err
}

// xattr reads xattr.NAME=BASE64.
func (p *parser) xattr(key, value string) error {
	name, is := strings.CutPrefix(key, "xattr.")
	if !is {
		return errors.New("no such keyword")
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

// ownKeywords are those that a type needs, and no other has.
var ownKeywords = map[tree.Type]string{tree.File: "size", tree.Symlink: "link", tree.Char: "device", tree.Block: "device"}

// complete checks that the line says all that its type needs, and no more.
func (p *parser) complete() error {
	t := p.inode.Type
	own := ownKeywords[t]
	for _, key := range keywords[:5] {
		if !p.has(key) {
			return fmt.Errorf("%s= is missing", key)
		}
	}
	if own != "" && !p.has(own) {
		return fmt.Errorf("%s= is missing", own)
	}
	for _, key := range keywords[6:] {
		if p.has(key) && own != key {
			return fmt.Errorf("%s= on a %v", key, t)
		}
	}
	if t == tree.Symlink && (p.inode.Target == "" || len(p.inode.Target) > tree.MaxTarget) {
		return fmt.Errorf("a target of %d bytes", len(p.inode.Target))
	}
	if t == tree.Dir && p.nlink > 0 || p.inode.Size < 0 {
		return errors.New("nlink= on a dir, or a negative size")
	}
	xattrs := p.inode.Xattrs
	slices.SortFunc(xattrs, func(a, b tree.Xattr) int { return cmp.Compare(a.Name, b.Name) })
	for i := range xattrs[:max(1, len(xattrs))-1] {
		if xattrs[i].Name == xattrs[i+1].Name {
			return fmt.Errorf("xattr.%s=: said twice", brief(Escape(xattrs[i].Name)))
		}
	}
	return nil
}

func number32(s string, base int, most uint64) (uint32, error) {
	v, err := strconv.ParseUint(s, base, 32)
	if err == nil && v > most {
		err = strconv.ErrRange
	}
	return uint32(v), err
}

// parseTime reads SECONDS.NANOSECONDS, the fraction counting up from the
// seconds even before 1970.
func parseTime(s string) (int64, uint32, error) {
	whole, fraction, has := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err == nil && (sec < tree.MinTime || sec > tree.MaxTime) {
		err = errors.New("ext4 cannot hold it")
	}
	if err != nil || !has {
		return sec, 0, err
	}
	if len(fraction) != 9 {
		return 0, 0, errors.New("not nine digits of nanoseconds")
	}
	nsec, err := number32(fraction, 10, 999_999_999)
	return sec, nsec, err
}

// parseDevice reads linux,MAJOR,MINOR.
func parseDevice(s string) (major, minor uint32, err error) {
	parts := strings.Split(s, ",")
	if len(parts) != 3 || parts[0] != "linux" {
		return 0, 0, errors.New("not linux,MAJOR,MINOR")
	}
	if major, err = number32(parts[1], 10, 1<<12-1); err != nil {
		return 0, 0, err
	}
	minor, err = number32(parts[2], 10, 1<<20-1)
	return major, minor, err
}
