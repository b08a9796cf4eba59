// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/bundle"
	"banger/lib/ext4"
)

// inits is what the kernel looks for by itself, before /bin/sh (init/main.c).
var inits = []string{"/sbin/init", "/etc/init", "/bin/init"}

// MissingInit returns "" for an image that has an init, else how to boot it
// all the same.
func (i *Image) MissingInit() (string, error) {
	m, err := ext4.Open(filepath.Join(i.Dir, bundle.Ext4File))
	if err != nil {
		return "", err
	}
	defer m.Close()
	for _, init := range inits {
		if ok, err := m.Exists(init); ok || err != nil {
			return "", err
		}
	}
	for _, stand := range append([]string{"/bin/sh"}, i.command()) {
		if !path.IsAbs(stand) {
			continue
		}
		if ok, err := m.Exists(stand); ok || err != nil {
			return "no init in it: boot it with init=" + stand + " on the kernel's command line", err
		}
	}
	return "no init in it, and nothing known that could stand in: " +
		"boot it with an initrd that brings one, or init=PROGRAM", nil
}

// command returns the program that the image's config runs, "" if unknown.
func (i *Image) command() string {
	raw, err := os.ReadFile(filepath.Join(i.Dir, bundle.ConfigFile))
	if err != nil {
		return ""
	}
	var config v1.Image
	if json.Unmarshal(raw, &config) != nil {
		return ""
	}
	if all := append(config.Config.Entrypoint, config.Config.Cmd...); len(all) > 0 {
		return all[0]
	}
	return ""
}
