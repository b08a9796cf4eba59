// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// An image is an OCI image in a layout on disk, for independent tools to check
// and copy.
type image struct {
	dir, tag string
}

// String returns the name of the image for umoci and banger-flatten.
func (i image) String() string { return i.dir + ":" + i.tag }

// makeImage lets umoci create a layout at dir, which must not exist, of
// uncompressed layer archives, the lowest first.
func makeImage(t testing.TB, dir, tag string, layers ...string) image {
	t.Helper()
	need(t, "umoci")
	i := image{dir, tag}
	output(t, exec.Command("umoci", "init", "--layout", dir))
	output(t, exec.Command("umoci", "new", "--image", i.String()))
	for _, layer := range layers {
		output(t, exec.Command("umoci", "raw", "add-layer", "--image", i.String(), layer))
	}
	return i
}

// push copies the image to a registry with skopeo, under name, a repository
// and a tag. It returns the reference to pull.
func (i image) push(t testing.TB, registry, name string) string {
	t.Helper()
	ref := registry + "/" + name
	skopeo(t, "copy", "--quiet", "--dest-tls-verify=false", "oci:"+i.String(), "docker://"+ref)
	return ref
}

// unpack unpacks the image with umoci, as root, below a new directory, and
// returns the root of the tree.
func (i image) unpack(t testing.TB) string {
	t.Helper()
	need(t, "umoci")
	needRoot(t)
	bundle := filepath.Join(scratch(t), "umoci")
	output(t, exec.Command("umoci", "unpack", "--image", i.String(), bundle))
	return filepath.Join(bundle, "rootfs")
}

// skopeo runs skopeo without the host's signature policy, which may be missing.
func skopeo(t testing.TB, args ...string) string {
	t.Helper()
	need(t, "skopeo")
	return output(t, exec.Command("skopeo", append([]string{"--insecure-policy"}, args...)...))
}

// inspect returns the raw manifest, or with --config the config, of an image
// by skopeo's name.
func inspect(t testing.TB, name string, flags ...string) string {
	t.Helper()
	need(t, "skopeo")
	cmd := exec.Command("skopeo", append([]string{"inspect", "--raw", "--tls-verify=false", name}, flags...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return string(out)
}

// scratch returns a new directory on disk, as /tmp may be in memory or lack
// user xattrs.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "banger-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// startRegistry runs Debian's docker-registry until the test ends, empty and
// without authentication. It returns its host:port on loopback.
func startRegistry(t testing.TB) string {
	t.Helper()
	return registrySettings{}.start(t)
}

// registrySettings are those of a docker-registry with TLS, or with passwords.
type registrySettings struct {
	tls, auth map[string]any // as in its configuration; nil for none
	client    *http.Client   // reaches it by TLS
}

func (s registrySettings) config(addr, storage string) map[string]any {
	web := map[string]any{"addr": addr}
	if s.tls != nil {
		web["tls"] = s.tls
	}
	config := map[string]any{
		"version": "0.1", "http": web,
		"log":     map[string]any{"level": "error", "accesslog": map[string]any{"disabled": true}},
		"storage": map[string]any{"filesystem": map[string]any{"rootdirectory": storage}},
	}
	if s.auth != nil {
		config["auth"] = s.auth
	}
	return config
}

// start is startRegistry with settings.
func (s registrySettings) start(t testing.TB) string {
	t.Helper()
	need(t, "docker-registry")
	dir := scratch(t)
	addr := freeAddr(t)
	config := filepath.Join(dir, "config.yml")
	text, err := json.Marshal(s.config(addr, filepath.Join(dir, "storage"))) // which is YAML
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(which("docker-registry"), "serve", config)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	if err := s.await(addr, ended); err != nil {
		out, _ := os.ReadFile(log.Name())
		t.Fatalf("docker-registry: %v\n%s", err, out)
	}
	return addr
}

// freeAddr returns a loopback address that no process listens on now.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await waits until the registry answers. It fails if the registry ends or does
// not answer in 20 seconds.
func (s registrySettings) await(addr string, ended <-chan struct{}) error {
	client, url := http.DefaultClient, "http://"+addr+"/v2/"
	if s.tls != nil {
		client, url = s.client, "https://"+addr+"/v2/"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		resp, err := client.Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusUnauthorized {
				return nil
			}
			err = fmt.Errorf("GET /v2/: %s", resp.Status)
		}
		select {
		case <-ended:
			return fmt.Errorf("exited")
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
