// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"banger/lib/mtree"
	"banger/lib/status"
	"banger/lib/tree"
)

// A rule is a case of doc/layers.md: some layers, and the tree or the error they
// must give. Its name starts with the section.
type rule struct {
	name   string // the rule and its source
	layers [][]byte
	want   string // as show prints it
	err    string // expected part of the error, instead of want
}

func check(t *testing.T, rules []rule) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			image := newImage(t)
			err := image.apply(r.layers...)
			switch {
			case r.err == "" && err != nil:
				t.Fatal(err)
			case r.err != "" && err == nil:
				t.Fatalf("no error, but %s", image.show())
			case r.err != "" && !strings.Contains(err.Error(), r.err):
				t.Errorf("error %q, without %q in it", err, r.err)
			case r.err != "" && (status.Of(err) != status.Bad || !strings.HasPrefix(err.Error(), "layer ")):
				t.Errorf("status %d, error %q: does not blame a layer", status.Of(err), err)
			case r.err == "" && image.show() != r.want:
				t.Errorf("got  %s\nwant %s", image.show(), r.want)
			}
		})
	}
}

// An image holds the layers applied so far.
type image struct {
	tree     *tree.Tree
	dir      string // of the contents
	contents *Contents
	reader   *Reader
	warned   []string
	events   []Event
}

func newImage(t *testing.T) *image {
	t.Helper()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	i := &image{tree: tree.New(tree.Inode{Mode: 0o755, Sec: 1}), dir: dir.Name()}
	i.contents = NewContents(context.Background(), dir)
	i.reader = &Reader{Contents: i.contents, MaxSize: 1 << 40, MaxEntries: 1000}
	i.reader.Warn = func(text string) { i.warned = append(i.warned, text) }
	return i
}

// apply applies layers, which are named 1, 2, 3 and so on.
func (i *image) apply(archives ...[]byte) error {
	var all []*Layer
	for n, archive := range archives {
		l, err := i.reader.Read(context.Background(), strconv.Itoa(n+1), bytes.NewReader(archive))
		if err != nil {
			return errors.Join(err, i.contents.Wait())
		}
		all = append(all, l)
	}
	if err := i.contents.Wait(); err != nil {
		return err
	}
	for _, l := range all {
		if err := l.Apply(context.Background(), i.tree, func(e Event) { i.events = append(i.events, e) }); err != nil {
			return err
		}
	}
	return nil
}

// show prints a tree on one line: directories as d/, files as f:CONTENT, symlinks
// as l->TARGET, hard links as g=f, and in braces the metadata that differs from
// the defaults of these tests.
func (i *image) show() string {
	var all []string
	first := map[*tree.Inode]string{}
	i.tree.Walk(func(dir *tree.Inode, name string, n *tree.Inode) error {
		path := "."
		if dir != nil {
			path = mtree.Escape(dir.Join(name))
		}
		if same := first[n]; same != "" {
			all = append(all, path+"="+same)
			return nil
		}
		first[n] = path
		if text := path + i.showInode(n); text != "./" {
			all = append(all, text)
		}
		return nil
	})
	return strings.Join(all, " ")
}

func (i *image) showInode(n *tree.Inode) string {
	text, mode := "", uint16(0o644)
	switch n.Type {
	case tree.Dir:
		text, mode = "/", 0o755
	case tree.Symlink:
		text, mode = "->"+mtree.Escape(n.Target), 0o777
	case tree.File:
		text = ":" + mtree.Escape(i.content(n))
	case tree.Char, tree.Block:
		text = fmt.Sprintf("<%v %d,%d>", n.Type, n.Major, n.Minor)
	default:
		text = fmt.Sprintf("<%v>", n.Type)
	}
	var meta []string
	if n.Mode != mode {
		meta = append(meta, fmt.Sprintf("%04o", n.Mode))
	}
	if n.UID != 0 || n.GID != 0 {
		meta = append(meta, fmt.Sprintf("%d:%d", n.UID, n.GID))
	}
	if n.Sec != 1 || n.Nsec != 0 {
		meta = append(meta, "@"+mtree.Time(n.Sec, n.Nsec))
	}
	for _, x := range n.Xattrs {
		meta = append(meta, x.Name+"="+mtree.Escape(x.Value))
	}
	if len(meta) > 0 {
		text += "{" + strings.Join(meta, ",") + "}"
	}
	return text
}

func (i *image) content(n *tree.Inode) string {
	if n.Content == 0 {
		return ""
	}
	raw, err := os.ReadFile(filepath.Join(i.dir, path(n.Content)))
	if err != nil || int64(len(raw)) != n.Size {
		return fmt.Sprintf("(%d bytes of %d, %v)", len(raw), n.Size, err)
	}
	return string(raw)
}

// layers returns its arguments, for check.
func layers(all ...[]byte) [][]byte { return all }

// pack returns a layer of entries.
func pack(entries ...[]byte) []byte {
	return append(bytes.Join(entries, nil), make([]byte, 1024)...)
}

// An option changes the header of an entry.
type option func(*tar.Header)

func mode(m int64) option     { return func(h *tar.Header) { h.Mode = m } }
func own(uid, gid int) option { return func(h *tar.Header) { h.Uid, h.Gid = uid, gid } }
func at(sec, nsec int64) option {
	return func(h *tar.Header) { h.ModTime, h.Format = time.Unix(sec, nsec), tar.FormatPAX }
}

// pax adds a pax record.
func pax(key, value string) option {
	return func(h *tar.Header) {
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[key] = value
	}
}

func file(name, content string, o ...option) []byte {
	return entryOf(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, content, o)
}

func dir(name string, o ...option) []byte {
	return entryOf(tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, "", o)
}

func symlink(name, target string, o ...option) []byte {
	return entryOf(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, "", o)
}

func hard(name, target string, o ...option) []byte {
	return entryOf(tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}, "", o)
}

func node(name string, flag byte, major, minor int64, o ...option) []byte {
	return entryOf(tar.Header{Typeflag: flag, Name: name, Mode: 0o644, Devmajor: major, Devminor: minor}, "", o)
}

func entryOf(h tar.Header, content string, options []option) []byte {
	h.Size, h.ModTime = int64(len(content)), time.Unix(1, 0)
	for _, o := range options {
		o(&h)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&h); err != nil {
		panic(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		panic(err)
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	return b.Bytes()
}
