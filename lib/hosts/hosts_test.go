// SPDX-License-Identifier: Apache-2.0

package hosts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// write makes the files of a directory, by their paths, and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// describe returns a host as a line.
func describe(h Host) string {
	var b strings.Builder
	b.WriteString(h.URL.String())
	for _, f := range []struct {
		set  bool
		name string
	}{{h.Own, "own"}, {h.Resolve, "resolve"}, {h.Pull, "pull"}, {h.TLS != nil, "tls"}, {h.Configured, "configured"}} {
		if f.set {
			b.WriteString(" " + f.name)
		}
	}
	if h.DialTimeout != 0 {
		fmt.Fprintf(&b, " %v", h.DialTimeout)
	}
	for name, values := range h.Header {
		fmt.Fprintf(&b, " %s=%q", name, values)
	}
	return b.String()
}

// loaded returns the hosts of a registry, a line each.
func loaded(t *testing.T, dirs []string, registry string) string {
	t.Helper()
	all, err := Load(dirs, registry, func(text string) { t.Errorf("warning: %s", text) })
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, h := range all {
		lines = append(lines, describe(h))
	}
	return strings.Join(lines, "\n")
}

// The configurations that containerd documents mean the same here.
func TestFiles(t *testing.T) {
	for name, c := range map[string]struct{ registry, text, want string }{
		"no hosts": {"r.example", "", "https://r.example/v2 own resolve pull"},
		"hub": {
			"docker.io", "server = \"https://registry-1.docker.io\"\n[host.\"https://mirror.example\"]\ncapabilities = [\"pull\", \"resolve\"]\n",
			"https://mirror.example/v2 resolve pull configured 5s\nhttps://registry-1.docker.io/v2 own resolve pull configured",
		},
		"no upstream": {
			"docker.io", "server = \"https://mirror.example\"",
			"https://mirror.example/v2 resolve pull configured",
		},
		"order of the file": {
			"r.example", "[host.\"https://z.example\"]\n[host.\"http://a.example:80\"]\ncapabilities = [\"pull\"]\ndial_timeout = \"2s\"\n[host.\"https://m.example\"]\n",
			"https://z.example/v2 resolve pull configured 5s\nhttp://a.example:80/v2 pull configured 2s\n" +
				"https://m.example/v2 resolve pull configured 5s\nhttps://r.example/v2 own resolve pull",
		},
		"paths": {
			"r.example", "[host.\"https://h.example/v2/proxy\"]\noverride_path = true\n[host.\"https://h.example/proxy\"]\n[host.\"h.example/v2/\"]\n[host.\"https://o.example\"]\noverride_path = true\n",
			"https://h.example/v2/proxy resolve pull configured 5s\nhttps://h.example/proxy/v2 resolve pull configured 5s\n" +
				"https://h.example/v2 resolve pull configured 5s\nhttps://o.example resolve pull configured 5s\nhttps://r.example/v2 own resolve pull",
		},
		"plain http": {"10.0.0.1:5000", "server = \"http://10.0.0.1:5000\"", "http://10.0.0.1:5000/v2 own resolve pull configured"},
		"the server's keys": {
			"r.example", "capabilities = [\"resolve\"]\nskip_verify = true\ndial_timeout = \"1m\"\n[header]\nx-key = [\"a\", \"b\"]\n",
			"https://r.example/v2 own resolve tls 1m0s x-key=[\"a\" \"b\"]",
		},
		"what is not needed": {"r.example", "capabilities = [\"PULL\", \"push\", \"referrers\"]", "https://r.example/v2 own pull"},
		"header":             {"r.example", "server = \"https://r.example\"\n[header]\nAuthorization = \"Basic eA==\"", "https://r.example/v2 own resolve pull configured Authorization=[\"Basic eA==\"]"},
	} {
		dir := write(t, map[string]string{strings.Replace(c.registry, ":5000", "_5000_", 1) + "/hosts.toml": c.text})
		if got := loaded(t, []string{dir}, c.registry); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// Without any directory, a registry is its own host, and Docker Hub has its own.
func TestDefault(t *testing.T) {
	for registry, want := range map[string]string{
		"r.example:5000": "https://r.example:5000/v2 own resolve pull",
		"docker.io":      "https://registry-1.docker.io/v2 own resolve pull",
	} {
		if got := loaded(t, []string{"/nowhere", t.TempDir()}, registry); got != want {
			t.Errorf("%s: %s", registry, got)
		}
	}
}

// Of the directories, the first counts: by its place in the list, then by its
// name. One without files says that there is no mirror.
func TestSearch(t *testing.T) {
	host := func(name string) string { return "server = \"https://" + name + "\"" }
	first := write(t, map[string]string{"_default/hosts.toml": host("default"), "a_1_/hosts.toml": host("under"), "a:1/hosts.toml": host("colon"), "b:1/hosts.toml": host("colon"), "none/x": ""})
	second := write(t, map[string]string{"c/hosts.toml": host("second"), "none/hosts.toml": host("second")})
	for registry, want := range map[string]string{"a:1": "under", "b:1": "colon", "c": "default", "a": "default", "none": "none"} {
		if got := loaded(t, []string{first, second}, registry); !strings.HasPrefix(got, "https://"+want+"/v2 ") {
			t.Errorf("%s: %s, want %s", registry, got, want)
		}
	}
	if got := loaded(t, []string{second, first}, "c"); !strings.HasPrefix(got, "https://second/") {
		t.Error(got)
	}
}

// A broken file is a usage error that names the file and the line, and quotes no
// secret.
func TestBroken(t *testing.T) {
	for text, want := range map[string]string{
		"server = ":                             ":1: ",
		"\n\nserver = 1":                        ":3: server is not a string",
		"\ncapabilities = [\"pul\"]":            `:2: unknown capability "pul"`,
		"\nskip_verify = \"yes\"":               ":2: not true or false",
		"\n\ndial_timeout = 3":                  ":3: dial_timeout",
		"dial_timeout = \"-3s\"":                ":1: dial_timeout",
		"\nca = [1]":                            ":2: neither a string nor",
		"\nclient = [[\"a\",\"b\",\"c\"]]":      ":2: 3 files",
		"[header]\n\"a b\" = \"secret\"":        `: header "a b"`,
		"[header]\na = \"secret\\n\"":           ": header a: a control character",
		"\nhost = 1":                            ":2: host is not a table",
		"\n[host]\na = 1":                       ":3: ",
		"\n[host.\"https://a\"]\nca = \"ca.x\"": "ca.x: no such file",
		"\n[host.\"ftp://a\"]":                  ":2: host ftp://a: neither http nor https",
		"\n[host.\"https://me:secret@a\"]":      ":2: host https://me:xxxxx@a",
		"\n[host.\"https://a?x=secret\"]":       ":2: host a: query",
		"\n[host.\"https:///v2\"]":              ":2: ",
		"\n[host.\"https://secret\\u0001\"]":    "malformed URL",
		"[host.\"a\"]\n[host.\"a\"]":            ":2: ",
		"\n[host.\"https://a\"\nca = 1":         ":2: expected",
	} {
		dir := write(t, map[string]string{"r/hosts.toml": text})
		_, err := Load([]string{dir}, "r", func(text string) { t.Errorf("warning: %s", text) })
		if err == nil || status.Of(err) != status.Usage || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), filepath.Join(dir, "r/hosts.toml")+":") {
			t.Errorf("%q: status %d, %v; want %s", text, status.Of(err), err, want)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A FIFO in the place of a file is not waited for, and a huge file not read.
func TestHostileFiles(t *testing.T) {
	dir := write(t, map[string]string{"huge/hosts.toml": "", "fifo/x": ""})
	if err := os.Truncate(filepath.Join(dir, "huge/hosts.toml"), 1<<40); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo/hosts.toml"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"huge", "fifo"} {
		if _, err := Load([]string{dir}, name, nil); status.Of(err) != status.Usage {
			t.Errorf("%s: status %d, %v", name, status.Of(err), err)
		}
	}
}

// Keys that are misspelled are reported with their table.
func TestUnknownKeys(t *testing.T) {
	dir := write(t, map[string]string{"r/hosts.toml": "sever = \"x\"\n[host.\"https://a\"]\nskip_verfy = true\n"})
	var warnings []string
	if _, err := Load([]string{dir}, "r", func(text string) { warnings = append(warnings, text) }); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "r/hosts.toml")
	if got, want := strings.Join(warnings, "\n"), file+": unknown key sever\n"+file+`: unknown key host."https://a".skip_verfy`; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// A host that another follows has a limit for connecting; the last has none.
func TestDialTimeout(t *testing.T) {
	dir := write(t, map[string]string{"r/hosts.toml": "[host.\"https://a\"]\n"})
	all, err := Load([]string{dir}, "r", nil)
	if err != nil || len(all) != 2 || all[0].DialTimeout != 5*time.Second || all[1].DialTimeout != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}
