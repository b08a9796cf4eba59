// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"banger/lib/input"
	"banger/lib/status"
)

// A keychain returns the credentials of docker login and podman login. It opens
// their file first: authn.DefaultKeychain would wait for the writer of a FIFO,
// and does not always name the file that it cannot parse.
type keychain struct{ getenv func(string) string }

// Resolve implements authn.Keychain.
func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

// ResolveContext implements authn.ContextKeychain.
func (k keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	path := k.file()
	if path == "" {
		return authn.Anonymous, nil
	}
	err := checkFile(path)
	var auth authn.Authenticator
	if err == nil {
		auth, err = authn.DefaultKeychain.ResolveContext(ctx, target)
		err = unusable(path, err)
	}
	if status.Of(err) == status.Bad {
		err = status.Hint(err, "correct the file, or remove it and log in again: docker login %s", loginHost(target))
	}
	if err != nil {
		return nil, refusal{err}
	}
	return auth, nil
}

// checkFile opens a file without waiting and checks its size.
func checkFile(path string) error {
	f, err := input.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return input.CheckSize(f, input.MaxDocument)
}

// unusable names the file in an error of authn.DefaultKeychain. Its cause is
// hidden: the end of the file is not that of a connection.
func unusable(path string, err error) error {
	if err == nil {
		return nil
	}
	cause := strings.TrimPrefix(err.Error(), fmt.Sprintf("parsing config file (%s): ", path))
	return status.Errorf(status.Bad, "%s: %s", path, cause)
}

// file returns the file that authn.DefaultKeychain reads, "" for none.
func (k keychain) file() string {
	docker := k.getenv("DOCKER_CONFIG")
	if docker == "" {
		docker = filepath.Join(k.getenv("HOME"), ".docker")
	}
	config := k.getenv("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(k.getenv("HOME"), ".config")
	}
	for _, path := range []string{
		filepath.Join(docker, "config.json"),
		k.getenv("REGISTRY_AUTH_FILE"),
		filepath.Join(k.getenv("XDG_RUNTIME_DIR"), "containers/auth.json"),
		filepath.Join(config, "containers/auth.json"),
	} {
		if isFile(path) {
			return path
		}
	}
	return ""
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
	return "docker.io"
}
