// SPDX-License-Identifier: Apache-2.0

// Command demo takes a small image through the whole pipeline: it builds it
// from files in this repository and the host's busybox, serves it from a registry
// on loopback, pulls it, and lists and shows it. Everything that it leaves is in
// bin/demo.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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
	image, err := build()
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

// build returns an image of two layers: busybox, and files above it.
func build() (v1.Image, error) {
	programs, err := busybox()
	if err != nil {
		return nil, err
	}
	files, err := files("test/demo/rootfs")
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, programs, files)
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
