// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFetchCredentialsFile checks that a file of credentials that cannot be used
// is named when a registry asks for a password, and that a FIFO is not read.
func TestFetchCredentialsFile(t *testing.T) {
	reg := newFaultRegistry(t)
	ref := reg.push(t, "small:1", smallImage(t))
	reg.misbehave(refuse(401, "UNAUTHORIZED", "WWW-Authenticate", basic(reg.host)))
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o644) }
	}
	for name, make := range map[string]func(path string) error{
		"truncated":      write(`{"auths":{"` + reg.host + `":{"au`),
		"not JSON":       write("auths:\n"),
		"bad auth":       write(`{"auths":{"` + reg.host + `":{"auth":"!"}}}`),
		"FIFO":           func(path string) error { return unix.Mkfifo(path, 0o644) },
		"of 64 MiB":      func(path string) error { return sparseFile(path, 64<<20) },
		"without helper": write(`{"credsStore":"no-such-helper"}`),
	} {
		for at, env := range map[string]string{
			"config.json":                  "DOCKER_CONFIG=.",
			".docker/config.json":          "",
			"login.json":                   "REGISTRY_AUTH_FILE=login.json",
			"containers/auth.json":         "XDG_RUNTIME_DIR=.",
			".config/containers/auth.json": "",
		} {
			t.Run(name+" "+at, func(t *testing.T) {
				u := newUser(t, nobody)
				path := filepath.Join(u.home, at)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := make(path); err != nil {
					t.Fatal(err)
				}
				variable, rest, _ := strings.Cut(env, "=")
				o := finish(t, withEnv(u.command("banger-fetch", ref), variable+"="+filepath.Join(u.home, rest)))
				o.failed(t, []int{65}, "banger-fetch: "+ref+": "+path+": ")
				if !strings.HasSuffix(o.stderr, "docker login "+reg.host+"\n") {
					t.Errorf("no hint: %q", o.stderr)
				}
			})
		}
	}
}

func sparseFile(path string, size int64) error {
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		return err
	}
	return os.Truncate(path, size)
}

// TestFetchLogin checks that the message distinguishes a wrong password from a
// missing one, for each kind of authentication.
func TestFetchLogin(t *testing.T) {
	const me, wrong, hint = "secret", "wrong", "hint: docker login "
	for name, c := range map[string]struct {
		challenge func(host string) string
		read      bool // whether the user of the right password may read the image
		password  string
		message   string
		hint      string
	}{
		"basic, none":   {basic, true, "", "unauthorized: no such repository, or login required", hint},
		"basic, wrong":  {basic, true, wrong, "wrong user name or password for ", hint},
		"bearer, none":  {bearer, true, "", "unauthorized: no such repository, or login required", hint},
		"bearer, wrong": {bearer, true, wrong, "wrong user name or password for ", hint},
		"bearer, right": {bearer, false, me, "unauthorized: no such repository, or the user may not read it", hint},
	} {
		t.Run(name, func(t *testing.T) {
			reg, u := newFaultRegistry(t), newUser(t, nobody)
			ref := reg.push(t, "small:1", smallImage(t))
			challenge := c.challenge(reg.host)
			reg.misbehave(func(w http.ResponseWriter, r *http.Request, honest *httptest.ResponseRecorder) bool {
				_, password, _ := r.BasicAuth()
				switch {
				case r.URL.Path == "/token" && password != wrong: // also to nobody
					fmt.Fprint(w, `{"token":"t"}`)
					return true
				case password == me && c.read:
					return false
				}
				return refuse(401, "UNAUTHORIZED", "WWW-Authenticate", challenge)(w, r, honest)
			})
			if c.password != "" {
				config := fmt.Sprintf(`{"auths":{%q:{"username":"me","password":%q}}}`, reg.host, c.password)
				if err := os.WriteFile(filepath.Join(u.home, "config.json"), []byte(config), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			o := finish(t, withEnv(u.command("banger-fetch", ref), "DOCKER_CONFIG="+u.home))
			o.failed(t, []int{77}, "banger-fetch: "+ref+": "+c.message)
			if want := "\n" + c.hint + reg.host + "\n"; !strings.HasSuffix(o.stderr, want) {
				t.Errorf("%q, want %q", o.stderr, want)
			}
		})
	}
}

func basic(string) string { return `Basic realm="test"` }

func bearer(host string) string {
	return `Bearer realm="http://` + host + `/token",service="test"`
}
