// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"banger/lib/input"
	"banger/lib/kernel"
)

// Configuration returns the configuration of the image's kernel and the modules
// beside the image, each nil if it does not exist. The modules have to be closed.
func (i *Image) Configuration() (kernel.Config, *kernel.Modules, error) {
	return configuration(i.KernelDir())
}

// configuration returns the configuration and the modules of the kernel in a
// directory, each nil if it does not exist. The modules have to be closed.
func configuration(dir string) (kernel.Config, *kernel.Modules, error) {
	config, err := readConfig(filepath.Join(dir, configPart))
	if err != nil {
		return nil, nil, err
	}
	files, disk, err := mountModules(context.Background(), os.DirFS(dir))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", dir, err)
	}
	if _, err := fs.Stat(files, modulesDir); err != nil {
		return config, nil, nil
	}
	sub, err := fs.Sub(files, modulesDir)
	var modules *kernel.Modules
	if err == nil {
		modules, err = kernel.OpenModules(sub)
	}
	if err != nil {
		disk.Close()
		return nil, nil, err
	}
	modules.OnClose(disk)
	return config, modules, nil
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

// distros matches the names of distributions in releases and versions.
var distros = regexp.MustCompile(`(?i)debian|ubuntu|alpine|arch|fc[0-9]+|el[0-9]+|amzn`)

// distroOf returns the distribution that a kernel's release and version name, or
// "". The compiler's version in the banner is skipped: it names the builder's.
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
