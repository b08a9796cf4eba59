// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// maxKeysText is how many bytes of public keys are read.
const maxKeysText = 1 << 20

// ParseAuthorizedKeys reads public keys in the format of OpenSSH's
// authorized_keys, sshd(8). It refuses a line with options: they restrict what a
// key may do, and are not obeyed here. It refuses certificates and certificate
// authorities too, and a text without a key.
func ParseAuthorizedKeys(text []byte) ([]ssh.PublicKey, error) {
	if len(text) > maxKeysText {
		return nil, fmt.Errorf("public keys of more than %d bytes", maxKeysText)
	}
	var keys []ssh.PublicKey
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no public key")
	}
	return keys, nil
}

func parseKey(line []byte) (ssh.PublicKey, error) {
	if bytes.HasPrefix(line, []byte("-----BEGIN ")) {
		return nil, errors.New("a private key or another PEM file; the public key is in the file whose name ends in .pub")
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey(line)
	switch {
	case err != nil:
		return nil, errors.New("not a public key of OpenSSH's format")
	case len(options) > 0:
		return nil, fmt.Errorf("key options are not supported: %.80q", options[0])
	}
	if _, ok := key.(*ssh.Certificate); ok {
		return nil, errors.New("certificates are not supported")
	}
	return key, nil
}
