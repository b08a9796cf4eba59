// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"crypto/ed25519"
	"encoding/pem"

	"golang.org/x/crypto/ssh"
)

// A key is an SSH key pair, made for one machine.
type key struct {
	signer  ssh.Signer
	private []byte // as ssh-keygen writes it
	public  []byte // a line of authorized_keys, without its newline
}

// newKey makes an Ed25519 key pair.
func newKey(comment string) (k key, err error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return k, err
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return k, err
	}
	if k.signer, err = ssh.NewSignerFromSigner(private); err != nil {
		return k, err
	}
	point, err := ssh.NewPublicKey(public)
	if err != nil {
		return k, err
	}
	k.private = pem.EncodeToMemory(block)
	line := ssh.MarshalAuthorizedKey(point)
	k.public = line[:len(line)-1]
	return k, nil
}
