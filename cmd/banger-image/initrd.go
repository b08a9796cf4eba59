// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"banger/lib/filter"
	"banger/lib/guest"
	"banger/lib/input"
	"banger/lib/sshd"
	"banger/lib/status"
	"banger/lib/store"
)

// initrdFlags are those of the subcommand initrd.
type initrdFlags struct {
	sshKeys, credentials *[]string
	kernelRef            *string
}

func addInitrdFlags(tool *filter.Tool) initrdFlags {
	return initrdFlags{
		sshKeys:     tool.Flags.StringArray("ssh-key", nil, "let the public key in `FILE` log in as any user"),
		credentials: tool.Flags.StringArray("load-credential", nil, "give the guest the credential `ID:FILE`"),
		kernelRef:   tool.Flags.String("kernel-ref", "", "take the modules of the kernel `KERNEL` in place of the image's own"),
	}
}

func (f initrdFlags) given() bool {
	return len(*f.sshKeys)+len(*f.credentials) > 0 || *f.kernelRef != ""
}

// writeInitrd writes an initial ramdisk for an image to standard output.
func writeInitrd(ctx context.Context, tool *filter.Tool, s *store.Store, name string, command []string, flags initrdFlags) error {
	if tool.OutIsTerminal() {
		return filter.Usagef("initrd: standard output is a terminal")
	}
	i, err := s.Image(name)
	if err != nil {
		return err
	}
	if *flags.kernelRef != "" {
		if i, err = s.WithKernel(i, *flags.kernelRef); err != nil {
			return err
		}
	}
	credentials, err := flags.read()
	if err != nil {
		return err
	}
	return i.WriteInitrd(ctx, tool.Out(), store.Personal{Command: command, Credentials: credentials}, guest.Program)
}

// read reads the files that the flags name.
func (f initrdFlags) read() (all []guest.Credential, err error) {
	var keys []byte
	for _, file := range *f.sshKeys {
		text, err := input.ReadFile(file, guest.MaxCredential)
		if err == nil {
			_, err = sshd.ParseAuthorizedKeys(text)
		}
		if err != nil {
			return nil, status.With(status.Bad, fmt.Errorf("--ssh-key %s: %w", file, err))
		}
		keys = append(append(keys, text...), '\n')
	}
	if keys != nil {
		all = append(all, guest.Credential{ID: guest.AuthorizedKeys, Data: keys})
	}
	for _, text := range *f.credentials {
		id, file, ok := strings.Cut(text, ":")
		if !ok {
			return nil, status.Errorf(status.Usage, "--load-credential %s: not ID:FILE", text)
		}
		data, err := input.ReadFile(file, guest.MaxCredential)
		if err != nil {
			return nil, fmt.Errorf("--load-credential %s: %w", file, err)
		}
		all = append(all, guest.Credential{ID: id, Data: data})
	}
	return all, checkCredentials(all)
}

// checkCredentials refuses credentials that are invalid or given twice, and public
// keys without a host key.
func checkCredentials(all []guest.Credential) error {
	data := map[string][]byte{}
	for _, c := range all {
		if err := guest.CheckCredential(c); err != nil {
			return status.With(status.Usage, err)
		}
		if data[c.ID] != nil {
			return status.Errorf(status.Usage, "credential %s: given twice", c.ID)
		}
		data[c.ID] = c.Data
	}
	hostKey, keys := data[guest.HostKey], data[guest.AuthorizedKeys]
	switch _, err := ssh.ParsePrivateKey(hostKey); {
	case keys != nil && hostKey == nil:
		return status.Hint(status.Errorf(status.Usage, "no host key for the guest"),
			"--load-credential %s:FILE, a private key that ssh-keygen has made without a passphrase", guest.HostKey)
	case hostKey != nil && err != nil:
		return status.Errorf(status.Bad, "credential %s: not a private key without a passphrase: %w", guest.HostKey, err)
	}
	return nil
}
