// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/guest"
	"banger/lib/input"
)

// systemCredentials is where systemd has the credentials of the machine
// (systemd.system-credentials(7)).
const systemCredentials = "/run/credentials/@system"

// maxCredentials is the number of credentials that are read.
const maxCredentials = 1024

// readCredentials reads the credentials in an initrd.
func readCredentials(dir string) (all []guest.Credential, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries[:min(len(entries), maxCredentials)] {
		data, err := input.ReadFile(filepath.Join(dir, e.Name()), guest.MaxCredential)
		if err != nil {
			return nil, err
		}
		all = append(all, guest.Credential{ID: e.Name(), Data: data})
	}
	return all, nil
}

// provideCredentials writes credentials where programs of the guest find them.
// Only root can read them.
func provideCredentials(dir string, all []guest.Credential) error {
	if len(all) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, c := range all {
		if err := os.WriteFile(filepath.Join(dir, c.ID), c.Data, 0o400); err != nil {
			return err
		}
	}
	return nil
}

// credential returns the data of a credential, nil if there is none.
func credential(all []guest.Credential, id string) []byte {
	for _, c := range all {
		if c.ID == id {
			return c.Data
		}
	}
	return nil
}
