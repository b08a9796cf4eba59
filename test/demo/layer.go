// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// A layer is a tar archive of files that are owned by root.
type layer struct {
	buf bytes.Buffer
	tar *tar.Writer
}

func newLayer() *layer {
	l := new(layer)
	l.tar = tar.NewWriter(&l.buf)
	return l
}

// add adds a directory, a file or a symlink.
func (l *layer) add(h tar.Header, content []byte) error {
	h.Size, h.ModTime = int64(len(content)), time.Unix(1700000000, 0)
	if err := l.tar.WriteHeader(&h); err != nil {
		return err
	}
	_, err := l.tar.Write(content)
	return err
}

// finish returns the layer.
func (l *layer) finish() (v1.Layer, error) {
	if err := l.tar.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(l.buf.Bytes())), nil
	})
}

// files returns a layer of the files in a directory.
func files(dir string) (v1.Layer, error) {
	l, from := newLayer(), os.DirFS(dir)
	err := fs.WalkDir(from, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if e.IsDir() {
			return l.add(tar.Header{Name: path, Typeflag: tar.TypeDir, Mode: 0o755}, nil)
		}
		content, err := fs.ReadFile(from, path)
		if err != nil {
			return err
		}
		return l.add(tar.Header{Name: path, Mode: 0o644}, content)
	})
	if err != nil {
		return nil, err
	}
	return l.finish()
}

// busybox returns a layer of the host's busybox, a symlink for each of its
// programs, and the directories of a system.
func busybox() (v1.Layer, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	if err := static(path); err != nil {
		return nil, fmt.Errorf("%s: %w\nhint: install busybox-static", path, err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	names, err := exec.Command(path, "--list").Output()
	if err != nil {
		return nil, err
	}
	l := newLayer()
	for _, dir := range []string{"bin", "dev", "proc", "root", "run", "sys", "tmp"} {
		mode := int64(0o755)
		if dir == "tmp" {
			mode = 0o1777
		}
		err = errors.Join(err, l.add(tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: mode}, nil))
	}
	err = errors.Join(err, l.add(tar.Header{Name: "bin/busybox", Mode: 0o755}, program))
	for _, name := range strings.Fields(string(names)) {
		if name != "busybox" {
			err = errors.Join(err, l.add(tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}, nil))
		}
	}
	if err != nil {
		return nil, err
	}
	return l.finish()
}

// static is an error for a program that needs a loader, which the image has not.
func static(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return errors.New("not a static program")
	}
	return nil
}
