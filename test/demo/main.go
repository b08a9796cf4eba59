// SPDX-License-Identifier: Apache-2.0

// Command demo takes a small image through the whole pipeline: it builds it
// from files in this repository, serves it from a registry on loopback, pulls
// it, and lists and shows it. Everything that it leaves is in bin/demo.
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal("demo: ", err)
	}
}

func run() error {
	home, err := filepath.Abs("bin/demo")
	if err != nil {
		return err
	}
	if err := os.RemoveAll(home); err != nil {
		return err
	}
	image, err := build(filepath.Join(home, "init"))
	if err != nil {
		return err
	}
	address, err := serve()
	if err != nil {
		return err
	}
	ref := address + "/demo:1"
	tag, err := name.ParseReference(ref)
	if err != nil {
		return err
	}
	if err := remote.Write(tag, image); err != nil {
		return err
	}
	return errors.Join(
		banger(home, "image", "pull", "--platform", "linux/"+runtime.GOARCH, "--name", "demo", ref),
		banger(home, "image", "list"),
		banger(home, "image", "show", "demo"),
	)
}

// build returns an image of two layers: files, and an init above them.
func build(init string) (v1.Image, error) {
	compile := exec.Command("go", "build", "-trimpath", "-o", init, "./test/demo/init")
	compile.Stderr = os.Stderr
	if err := compile.Run(); err != nil {
		return nil, err
	}
	files, err := archive(os.DirFS("test/demo/rootfs"), "")
	if err != nil {
		return nil, err
	}
	program, err := archive(os.DirFS(filepath.Dir(init)), "sbin/")
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, files, program)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config.OS, config.Architecture = "linux", runtime.GOARCH
	return mutate.ConfigFile(image, config)
}

// archive returns a layer of the files, owned by root.
func archive(from fs.FS, prefix string) (v1.Layer, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := fs.WalkDir(from, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		h := &tar.Header{Name: prefix + path, Mode: int64(info.Mode().Perm()), ModTime: time.Unix(1700000000, 0)}
		if e.IsDir() {
			h.Typeflag = tar.TypeDir
			return w.WriteHeader(h)
		}
		raw, err := fs.ReadFile(from, path)
		if err != nil {
			return err
		}
		h.Size = int64(len(raw))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(raw)
		return err
	})
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buf.Bytes())), nil
	})
}

// serve starts a registry on loopback and returns its address.
func serve() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go http.Serve(l, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	return l.Addr().String(), nil
}

// banger prints and runs a command, with its own cache and state.
func banger(home string, args ...string) error {
	fmt.Println("$ banger", strings.Join(args, " "))
	cmd := exec.Command("scripts/banger", args...)
	cmd.Env = append(os.Environ(),
		"PATH="+filepath.Dir(home)+":"+os.Getenv("PATH"),
		"XDG_CACHE_HOME="+home+"/cache", "XDG_STATE_HOME="+home+"/state")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
