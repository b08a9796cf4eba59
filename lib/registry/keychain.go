// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"banger/lib/hosts"
	"banger/lib/input"
	"banger/lib/status"
)

// A keychain returns the credentials of docker login and podman login. It reads the
// file that it finds itself: authn.DefaultKeychain would wait for the writer of a FIFO,
// does not always name the file that it cannot parse, and reads none of Podman's if
// DOCKER_CONFIG is set.
type keychain struct{ getenv func(string) string }

// Resolve implements authn.Keychain.
func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	path := k.file()
	if path == "" {
		return authn.Anonymous, nil
	}
	found, err := credentials(path, target)
	if status.Of(err) == status.Bad {
		err = status.Hint(err, "correct the file, or remove it and log in again: docker login %s", loginHost(target))
	}
	if err != nil {
		return nil, refusal{err}
	}
	return found, nil
}

// credentials returns those that a file, or the credential helper that it names, has
// for a repository: those of the repository, of the paths above it, which Podman has, or
// of its registry.
func credentials(path string, target authn.Resource) (authn.Authenticator, error) {
	raw, err := input.ReadFile(path, input.MaxDocument)
	if err != nil {
		return nil, err
	}
	file, err := config.LoadFromReader(bytes.NewReader(raw))
	if err != nil {
		return nil, status.Errorf(status.Bad, "%s: %s", path, err)
	}
	for _, key := range keys(target) {
		_, listed := file.AuthConfigs[key]
		_, helped := file.CredentialHelpers[key]
		if !listed && !helped && strings.Contains(strings.TrimPrefix(key, "https://"), "/") && key != authn.DefaultAuthKey {
			continue // no helper is asked for a repository
		}
		found, err := file.GetAuthConfig(key)
		if err != nil {
			return nil, status.Errorf(status.Bad, "%s: %s", path, scrubbed(err))
		}
		if key == hosts.Hub {
			found = file.AuthConfigs[key] // docker login has the Hub under another name
		}
		if found.ServerAddress = ""; found != (types.AuthConfig{}) {
			return authn.FromConfig(authn.AuthConfig{
				Username: found.Username, Password: found.Password, Auth: found.Auth,
				IdentityToken: found.IdentityToken, RegistryToken: found.RegistryToken,
			}), nil
		}
	}
	return authn.Anonymous, nil
}

// keys returns the names under which a file may have the credentials for a repository.
func keys(target authn.Resource) (all []string) {
	registry := target.RegistryStr()
	for at := target.String(); at != registry && strings.Contains(at, "/"); at = at[:strings.LastIndexByte(at, '/')] {
		all = append(all, at)
	}
	if registry != name.DefaultRegistry {
		return append(all, registry)
	}
	for _, key := range all {
		all = append(all, hosts.Hub+strings.TrimPrefix(key, registry))
	}
	return append(all, authn.DefaultAuthKey, hosts.Hub)
}

// file returns the file with the credentials, "" for none: that of docker login, else
// that of podman login.
func (k keychain) file() string {
	home := k.getenv("HOME")
	docker := cmp.Or(k.getenv("DOCKER_CONFIG"), under(home, ".docker"))
	config := cmp.Or(k.getenv("XDG_CONFIG_HOME"), under(home, ".config"))
	podman := under(k.getenv("XDG_RUNTIME_DIR"), "containers/auth.json")
	if podman == "" {
		podman = fmt.Sprintf("/run/containers/%d/auth.json", os.Getuid()) // containers/image, pkg/docker/config
	}
	for _, path := range []string{
		under(docker, "config.json"),
		k.getenv("REGISTRY_AUTH_FILE"),
		podman,
		under(config, "containers/auth.json"),
	} {
		if isFile(path) {
			return path
		}
	}
	return ""
}

// under returns the path of a file in a directory, "" for none if that is not known.
func under(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// loginHost returns what docker login takes for the registry of target.
func loginHost(target authn.Resource) string {
	if host := target.RegistryStr(); host != name.DefaultRegistry {
		return host
	}
	return hosts.Hub
}
