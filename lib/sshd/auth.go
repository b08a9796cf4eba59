// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// accountKey finds the account in a connection's permissions.
type accountKey struct{}

var errNoSuchKey = errors.New("the key is not one that may log in")

// authentication accepts the server's public keys and nothing else.
func (s *Server) authentication() *ssh.ServerConfig {
	config := &ssh.ServerConfig{
		ServerVersion:             version,
		MaxAuthTries:              maxAuthTries,
		PublicKeyCallback:         s.acceptKey,
		VerifiedPublicKeyCallback: s.acceptUser,
	}
	config.AddHostKey(s.HostKey)
	return config
}

// acceptKey says whether a client may prove that it has a key. Anyone can ask:
// that tells nothing about users.
func (s *Server) acceptKey(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	offered := key.Marshal()
	for _, k := range s.Keys {
		if bytes.Equal(k.Marshal(), offered) {
			return &ssh.Permissions{}, nil
		}
	}
	return nil, errNoSuchKey
}

// acceptUser finds the user that a client with a key logs in as. A client that
// has a key is told why there is none.
func (s *Server) acceptUser(c ssh.ConnMetadata, _ ssh.PublicKey, _ *ssh.Permissions, _ string) (*ssh.Permissions, error) {
	account, err := s.account(c.User())
	if err != nil {
		return nil, &ssh.BannerError{Err: err, Message: err.Error() + "\n"}
	}
	return &ssh.Permissions{ExtraData: map[any]any{accountKey{}: account}}, nil
}

func (s *Server) account(name string) (Account, error) {
	if len(name) > maxUserName {
		return Account{}, fmt.Errorf("the user name has %d bytes, more than %d", len(name), maxUserName)
	}
	account, err := s.Account(name)
	if err == nil {
		err = account.check()
	}
	return account, err
}
