// SPDX-License-Identifier: Apache-2.0

// Package mtree reads and writes manifests: the metadata of a tree as text, for
// owners, modes, times and devices that a tree on the host cannot hold.
//
// The format is mtree(5) as in FreeBSD's unprivileged builds: full paths, one
// line each, no /set. Lines are in the order of `LC_ALL=C sort`.
package mtree

import (
	"bufio"
	"encoding/base64"
	"io"
	"slices"
	"strconv"
	"strings"

	"banger/lib/tree"
)

// header is the first line. libarchive and gomtree require it.
const header = "#mtree v2.0\n"

// Write writes the manifest of t.
func Write(w io.Writer, t *tree.Tree) error {
	bw := bufio.NewWriterSize(w, 64<<10)
	bw.WriteString(header)
	p := printer{w: bw}
	p.line(".", t.Root)
	p.dir("./", t.Root)
	return bw.Flush()
}

// Limited returns a writer that fails after MaxSize bytes, as Read would reject
// the manifest. A small layer can make a large manifest: each line has the full
// path.
func Limited(w io.Writer) io.Writer { return &limited{w, MaxSize} }

type limited struct {
	io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errTooLarge
	}
	return l.Writer.Write(p)
}

// A printer writes lines. The bufio.Writer keeps the first error.
type printer struct {
	w   *bufio.Writer
	buf []byte
}

// dir writes the lines below a directory. The line of a subdirectory starts with
// its name and a space, the lines below it with its name and a slash. They are
// sorted as two items, so that all lines are in order.
func (p *printer) dir(prefix string, dir *tree.Inode) {
	type item struct {
		key string
		n   *tree.Inode
	}
	items := make([]item, 0, dir.Len())
	for _, name := range dir.Names() {
		n := dir.Lookup(name)
		key := Escape(name)
		items = append(items, item{key + " ", n})
		if n.Type == tree.Dir && n.Len() > 0 {
			items = append(items, item{key + "/", n})
		}
	}
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	for _, it := range items {
		last := len(it.key) - 1
		if it.key[last] == '/' {
			p.dir(prefix+it.key, it.n)
		} else {
			p.line(prefix+it.key[:last], it.n)
		}
	}
}

// line writes the line of an inode. The path is already escaped.
func (p *printer) line(path string, n *tree.Inode) {
	p.buf = append(appendKeywords(append(p.buf[:0], path...), n), '\n')
	p.w.Write(p.buf)
}

// Keywords returns the keywords of an inode, each KEYWORD=VALUE.
func Keywords(n *tree.Inode) []string { return strings.Fields(string(appendKeywords(nil, n))) }

// appendKeywords appends the keywords of an inode, each after a space.
func appendKeywords(b []byte, n *tree.Inode) []byte {
	b = append(append(b, " type="...), n.Type.String()...)
	b = strconv.AppendUint(append(b, " uid="...), uint64(n.UID), 10)
	b = strconv.AppendUint(append(b, " gid="...), uint64(n.GID), 10)
	b = append(append(b, " mode="...), octal(n.Mode)...)
	if n.Nlink > 1 {
		b = strconv.AppendInt(append(b, " nlink="...), int64(n.Nlink), 10)
	}
	if n.Type == tree.File {
		b = strconv.AppendInt(append(b, " size="...), n.Size, 10)
	}
	if n.Type == tree.Symlink {
		b = append(append(b, " link="...), Escape(n.Target)...)
	}
	b = append(append(b, " time="...), Time(n.Sec, n.Nsec)...)
	if n.Type.Device() {
		b = strconv.AppendUint(append(b, " device=linux,"...), uint64(n.Major), 10)
		b = strconv.AppendUint(append(b, ','), uint64(n.Minor), 10)
	}
	for _, x := range n.Xattrs {
		b = append(append(b, " xattr."...), Escape(x.Name)...)
		b = base64.StdEncoding.AppendEncode(append(b, '='), []byte(x.Value))
	}
	return b
}

// octal formats a mode in four digits.
func octal(mode uint16) string {
	s := strconv.FormatUint(uint64(mode), 8)
	return "0000"[min(4, len(s)):] + s
}

// Time formats a time as in mtree: seconds, rounded down, and nine digits of
// nanoseconds. -1.500000000 is half a second before 1970.
func Time(sec int64, nsec uint32) string {
	ns := strconv.FormatUint(uint64(nsec), 10)
	return strconv.FormatInt(sec, 10) + "." + "000000000"[len(ns):] + ns
}
