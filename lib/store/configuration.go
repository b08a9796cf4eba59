// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"banger/lib/input"
	"banger/lib/kernel"
)

// Configuration reads what is known of the image's kernel: how it was
// configured, and the modules beside the image; nil for what is not there.
func (i *Image) Configuration() (kernel.Config, *kernel.Modules, error) { return configuration(i.Dir) }

// configuration reads what is known of the kernel in a directory: how it was
// configured, and its modules; nil for what is not there.
func configuration(dir string) (kernel.Config, *kernel.Modules, error) {
	config, err := readConfig(filepath.Join(dir, configPart))
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, modulesPart)
	if !exists(path) {
		return config, nil, nil
	}
	modules, err := kernel.OpenModules(os.DirFS(path))
	return config, modules, err
}

func readConfig(path string) (kernel.Config, error) {
	f, err := input.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return kernel.ParseConfig(f)
}

// distros are words in which distributions sign their kernels.
var distros = regexp.MustCompile(`(?i)debian|ubuntu|alpine|arch|fc[0-9]+|el[0-9]+|amzn`)

// distroOf returns whose kernel it is, as far as its release and its version
// tell, "" if they do not. What compiled it is no sign.
func distroOf(release, banner string) string {
	_, version, _ := strings.Cut(banner, " #")
	found := strings.ToLower(distros.FindString(release + " " + version))
	switch strings.TrimRight(found, "0123456789") {
	case "fc":
		return "fedora"
	case "el":
		return "rhel"
	case "amzn":
		return "amazon"
	}
	return found
}
