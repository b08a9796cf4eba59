// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCatalog packs a kernel as one user and serves it; others pull it, by its
// name or by --kernel-ref, and one from a registry.
func TestCatalog(t *testing.T) {
	t.Parallel()
	need(t, "jq", "umoci", "skopeo")
	host := newUser(t, nobody)
	host.addKernel(t, "void-6.12", kernel612)
	packed := host.showKernel(t, "void-6.12")
	registry := startRegistry(t)
	output(t, host.command("sh", "-c", `mkdir www && cd www && banger-kernel pack void-6.12 >void.json &&
		jq -n --arg ref "$1" '{name: "acme-6.12", arch: "amd64", kernel_version: "6.12", ref: $ref}' | cat void.json - |
		jq -s '{version: 1, entries: .}' >kernels.json`, "sh", pushKernel(t, registry, packed.Path)))
	web := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(host.home, "www"))))
	defer web.Close()
	url := web.URL + "/kernels.json"

	u := newUser(t, nobody)
	listed := output(t, u.command("banger-kernel", "list", "--available", "--catalog", url))
	if !strings.Contains(listed, "\nvoid-6.12  debian  amd64  "+packed.Release) || !strings.Contains(listed, "\nacme-6.12  -       amd64  6.12 ") {
		t.Errorf("available:\n%s", listed)
	}
	for _, name := range []string{"void-6.12", "acme-6.12"} {
		if got := output(t, u.command("banger", "kernel", "pull", "--catalog", url, name)); got != u.kernels(name) {
			t.Errorf("printed %q", got)
		}
		if k := u.showKernel(t, name); !maps.Equal(k.SHA256, packed.SHA256) || k.Release != packed.Release {
			t.Errorf("%s: %+v, packed %+v", name, k, packed)
		}
		u.kernelSums(t, u.showKernel(t, name))
	}
	if o := finish(t, u.command("banger", "kernel", "pull", "--catalog", url, "acme-6.12")); o.code != 73 {
		t.Errorf("over an existing kernel: exit %d, %s", o.code, o.stderr)
	}
	output(t, u.command("banger", "kernel", "pull", "--force", "--catalog", url, "acme-6.12"))
	noLeftovers(t, u)
	packsTheSame(t, host, u)
	pulledByName(t, registry, url)
}

// pushKernel pushes an image of a kernel's directory and returns its reference
// by digest.
func pushKernel(t *testing.T, registry, dir string) string {
	archive := filepath.Join(scratch(t), "kernel.tar")
	output(t, exec.Command("tar", "-cf", archive, "-C", dir, "vmlinux", "bzImage", "vmlinux.config", "initrd.img", "modules.ext4"))
	ref := makeImage(t, filepath.Join(scratch(t), "layout"), "1", archive).push(t, registry, "kernel:6.12")
	digest := skopeo(t, "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://"+ref)
	return registry + "/kernel@" + digest
}

// packsTheSame checks that two users pack the same kernel into the same bytes.
func packsTheSame(t *testing.T, a, b user) {
	t.Helper()
	output(t, b.command("banger-kernel", "pack", "void-6.12"))
	one, other := filepath.Join(a.home, "www/void-6.12.tar.zst"), filepath.Join(b.home, "void-6.12.tar.zst")
	if hash(t, one) != hash(t, other) {
		t.Error("two users packed the same kernel into different bytes")
	}
	if o := finish(t, b.command("banger-kernel", "pack", "void-6.12")); o.code != 73 {
		t.Errorf("over an existing file: exit %d, %s", o.code, o.stderr)
	}
	output(t, b.command("banger-kernel", "pack", "-f", "void-6.12"))
}

// pulledByName checks that --kernel-ref pulls a kernel of the user's catalog:
// banger image pull at its start, banger-register at its end.
func pulledByName(t *testing.T, registry, url string) {
	dir := scratch(t)
	ref := makeImage(t, filepath.Join(dir, "layout"), "1", writeLayer(t, dir, 1, []entry{file("app", staticProgram(t)).mode(0o755)})).
		push(t, registry, "app:1")
	u := newUser(t, nobody)
	output(t, u.command("sh", "-c", `mkdir -p .config/banger && curl -sS "$1" |
		jq --arg base "$2" '.entries[0].tarball_url |= $base + .' >.config/banger/kernels.json`,
		"sh", url, strings.TrimSuffix(url, "kernels.json")))
	output(t, u.command("banger", "image", "pull", "--size", "64M", "--kernel-ref", "void-6.12", ref))
	output(t, u.command("banger-kernel", "rm", "void-6.12"))
	output(t, u.command("sh", "-c", `banger image pull --size 64M --kernel-ref void-6.12 --name one "$1" & one=$!
		banger image pull --size 64M --kernel-ref void-6.12 --name other "$1" && wait $one`, "sh", ref))
	output(t, u.command("banger-kernel", "rm", "void-6.12"))
	output(t, u.command("banger-register", "--name", "again", "--kernel-ref", "void-6.12", ".local/state/banger/images/app-1/rootfs.ext4"))
	if o := finish(t, u.command("banger-register", "--name", "none", "--kernel-ref", "nope", ".local/state/banger/images/app-1/rootfs.ext4")); o.code != 66 {
		t.Errorf("an unknown kernel: exit %d, %s", o.code, o.stderr)
	}
	if o := patiently(t, u.command("banger", "boot", "again", "--", "/app")); o.code != 42 {
		t.Errorf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	noLeftovers(t, u)
}

// TestCatalogFaults checks that every fault of a catalog, an entry or a server
// has a message, and that no files are left.
func TestCatalogFaults(t *testing.T) {
	u := newUser(t, nobody)
	web := httptest.NewServer(badWeb(t))
	defer web.Close()
	sum := strings.Repeat("0", 64)
	entry := func(path string, size int) string {
		return fmt.Sprintf(`{"name":"k","arch":"amd64","kernel_version":"6","size_bytes":%d,"tarball_url":"%s%s","tarball_sha256":"%s"}`,
			size, web.URL, path, sum)
	}
	for name, c := range map[string]struct {
		entry string
		code  int
		words string
	}{
		"cut":            {entry("/cut", 1000), 75, "connection cut"},
		"silent":         {entry("/silent", 1000), 75, "silent"},
		"not there":      {entry("/none", 1000), 66, "404 not found"},
		"not allowed":    {entry("/private", 1000), 77, "403 forbidden"},
		"in trouble":     {entry("/trouble", 1000), 75, "503"},
		"longer":         {entry("/long", 1000), 65, "longer than the 1000 bytes"},
		"endless":        {entry("/endless", 1000), 65, "longer than the 1000 bytes"},
		"shorter":        {entry("/long", 3000), 65, "2000 bytes, not the 3000"},
		"other bytes":    {entry("/long", 2000), 65, "SHA-256"},
		"no server":      {strings.ReplaceAll(entry("/x", 1000), web.URL, "http://127.0.0.1:1"), 75, "refused"},
		"other scheme":   {strings.ReplaceAll(entry("/x", 1000), web.URL, "ftp://127.0.0.1"), 65, "tarball_url"},
		"no size":        {entry("/long", 0), 65, "size_bytes"},
		"bad sum":        {strings.ReplaceAll(entry("/long", 2000), sum, "abc"), 65, "tarball_sha256"},
		"bad arch":       {strings.ReplaceAll(entry("/long", 2000), "amd64", "vax"), 65, "arch"},
		"twice":          {entry("/long", 2000) + "," + entry("/long", 2000), 65, "duplicate name"},
		"by tag":         {`{"name":"k","arch":"amd64","kernel_version":"6","ref":"127.0.0.1:1/k:1"}`, 65, "by digest"},
		"another's name": {`{"name":"other","arch":"amd64","kernel_version":"6","ref":"x"}`, 66, "not in a catalog"},
		"no entries":     {"", 66, "not in a catalog"},
	} {
		t.Run(name, func(t *testing.T) {
			u.writeCatalog(t, `{"version":1,"entries":[`+c.entry+`]}`)
			args := []string{"pull", "k"}
			if name == "silent" {
				args = append(args, "--timeout", "1s")
			}
			o := finish(t, u.command("banger-kernel", args...))
			o.failed(t, []int{c.code}, "banger-kernel", c.words)
			u.noKernels(t)
		})
	}
	for name, c := range map[string]struct {
		text  string
		code  int
		words string
	}{
		"no JSON":       {"<html>", 65, "not a catalog"},
		"a new version": {`{"version":2,"entries":[]}`, 65, "version 2 is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			u.writeCatalog(t, c.text)
			finish(t, u.command("banger-kernel", "pull", "k")).failed(t, []int{c.code}, "banger-kernel", c.words)
			u.noKernels(t)
		})
	}
	os.RemoveAll(filepath.Join(u.home, ".config"))
	o := finish(t, u.command("banger-kernel", "pull", "k"))
	o.failed(t, []int{66}, "banger-kernel", "not in a catalog")
	if !hinted(o.stderr) {
		t.Errorf("no catalog at all: no hint in %s", o.stderr)
	}
	u.noKernels(t)
}

// TestCatalogListed checks that list warns of entries that pull would refuse,
// and rejects flags that have no effect.
func TestCatalogListed(t *testing.T) {
	u := newUser(t, nobody)
	entry := func(name string) string {
		return `{"name":"` + name + `","arch":"amd64","kernel_version":"6","ref":"x/y@sha256:` + strings.Repeat("a", 64) + `"}`
	}
	u.writeCatalog(t, `{"version":1,"entries":[`+entry("k")+","+entry("twice")+","+entry("twice")+`]}`)
	o := finish(t, u.command("banger-kernel", "list", "--available", "--timeout", "1s"))
	if o.code != 0 || !strings.Contains(o.stdout, "\nk ") || strings.Contains(o.stdout, "twice") ||
		strings.Count(o.stderr, "warning: ") != 1 || !strings.Contains(o.stderr, "entry twice: duplicate name") {
		t.Errorf("exit %d, %s%s", o.code, o.stdout, o.stderr)
	}
	for _, flag := range []string{"--timeout=1s", "--catalog=x", "--catalog="} {
		finish(t, u.command("banger-kernel", "list", flag)).failed(t, []int{64}, "banger-kernel", "--available")
	}
	if err := os.WriteFile(filepath.Join(u.home, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	finish(t, u.command("banger-kernel", "add", "k", "file")).failed(t, []int{65}, "banger-kernel", "file: empty")
}

// badWeb is a web server with a path for each fault.
func badWeb(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	long := []byte(strings.Repeat("no archive, but 2000 bytes ", 80)[:2000])
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { w.Write(long) })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Write(long[:500])
	})
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	mux.HandleFunc("/silent", func(w http.ResponseWriter, r *http.Request) {
		w.Write(long[:500])
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-done:
		case <-time.After(time.Minute):
		}
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(long); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/private", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	mux.HandleFunc("/trouble", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	return mux
}

func (u user) writeCatalog(t *testing.T, text string) {
	t.Helper()
	dir := filepath.Join(u.home, ".config/banger")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kernels.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// noKernels fails the test if the user's kernels directory holds any file.
func (u user) noKernels(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(u.kernels(".*"))
	more, _ := filepath.Glob(u.kernels("*"))
	if left = append(left, more...); err != nil || len(left) > 0 {
		t.Errorf("left among the kernels: %q, %v", left, err)
	}
}
