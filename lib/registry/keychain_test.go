// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"path/filepath"
	"testing"
)

// Without a directory of the user no file is looked for in the working directory.
func TestKeychainNowhere(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{".docker/config.json", ".config/containers/auth.json", "containers/auth.json"} {
		writeFile(t, name, `{"auths":{"r.example":{"auth":"bWU6cHc="}}}`)
	}
	if path := (keychain{func(string) string { return "" }}).file(); path != "" && !filepath.IsAbs(path) {
		t.Error(path)
	}
}

// The file of docker login counts, else the first of podman login. Podman has
// credentials for paths.
func TestKeychain(t *testing.T) {
	const docker = `{"auths":{"https://index.docker.io/v1/":{"auth":"aHViOnB3"},"r.example":{"auth":"ZG9ja2VyOnB3"}}}` // hub:pw, docker:pw
	const podman = `{"auths":{"docker.io":{"auth":"aHViOnB3"},"r.example":{"auth":"cG9kbWFuOnB3"},"r.example/team":{"auth":"dGVhbTpwdw=="}}}`
	home := t.TempDir()
	writeFile(t, filepath.Join(home, ".config/containers/auth.json"), podman)
	env := map[string]string{"HOME": home}
	user := func(host, repository string) string {
		t.Helper()
		found, err := keychain{func(name string) string { return env[name] }}.Resolve(resource{host, repository})
		if err != nil {
			t.Fatal(err)
		}
		config, err := found.Authorization()
		if err != nil {
			t.Fatal(err)
		}
		return config.Username
	}
	expect := func(what, host, repository, want string) {
		t.Helper()
		if got := user(host, repository); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	expect("podman", "r.example", "x/y", "podman")
	expect("podman, a path", "r.example", "team/a/b", "team")
	expect("podman, the Hub", "index.docker.io", "library/debian", "hub")
	expect("podman, another host", "s.example", "x", "")
	env["DOCKER_CONFIG"] = t.TempDir()
	expect("DOCKER_CONFIG without a file", "r.example", "x", "podman")
	writeFile(t, filepath.Join(home, ".docker/config.json"), `{}`)
	expect("DOCKER_CONFIG elsewhere", "r.example", "x", "podman")
	writeFile(t, filepath.Join(env["DOCKER_CONFIG"], "config.json"), docker)
	expect("docker", "r.example", "team/a", "docker")
	expect("docker, the Hub", "index.docker.io", "library/debian", "hub")
}
