// SPDX-License-Identifier: Apache-2.0

package sshd

import (
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strconv"

	"github.com/moby/sys/user"
)

// An Account is a user that a client logs in as.
type Account struct {
	Name        string
	UID, GID    int
	Groups      []int // supplementary
	Home, Shell string
}

// maxAccounts is how many bytes of a passwd or group file are read.
const maxAccounts = 4 << 20

// FindAccount finds a user in the text of passwd(5) and group(5) files: by name,
// else by a decimal user id. Root and every id exist without an entry too; such a
// user has group 0, as docker run has it.
func FindAccount(name string, passwd, group io.Reader) (Account, error) {
	id, notNumber := strconv.ParseUint(name, 10, 31)
	var byName, byID *user.User
	_, err := user.ParsePasswdFilter(io.LimitReader(passwd, maxAccounts), func(u user.User) bool {
		if byName == nil && u.Name == name && name != "" {
			byName = &u
		}
		if byID == nil && notNumber == nil && u.Uid == int(id) {
			byID = &u
		}
		return false
	})
	switch {
	case byName != nil:
		return complete(*byName, group)
	case byID != nil:
		return complete(*byID, group)
	case name == "root":
		return Account{Name: name, Home: "/root"}, nil
	case err != nil:
		return Account{}, fmt.Errorf("user %q: %w", name, err)
	case notNumber != nil:
		return Account{}, fmt.Errorf("there is no user %q", name)
	case id == 0:
		return Account{Name: "root", Home: "/root"}, nil
	}
	return Account{Name: name, UID: int(id), Home: "/"}, nil
}

// complete adds the groups that name a user.
func complete(u user.User, group io.Reader) (Account, error) {
	groups, err := user.ParseGroupFilter(io.LimitReader(group, maxAccounts), func(g user.Group) bool {
		return g.Gid != u.Gid && slices.Contains(g.List, u.Name)
	})
	if err != nil {
		return Account{}, fmt.Errorf("groups of user %q: %w", u.Name, err)
	}
	account := Account{Name: u.Name, UID: u.Uid, GID: u.Gid, Home: u.Home, Shell: u.Shell}
	for _, g := range groups {
		account.Groups = append(account.Groups, g.Gid)
	}
	return account, nil
}

const usualShell = "/bin/sh"

// shell returns the account's shell, or the usual one in the place of one that
// only refuses logins: who has a key may be root.
func (a Account) shell() string {
	if name := path.Base(a.Shell); a.Shell == "" || name == "nologin" || name == "false" {
		return usualShell
	}
	return a.Shell
}

// check refuses ids that the kernel does not have. To setresuid(2), -1 means
// that the id stays as it is: root's.
func (a Account) check() error {
	for _, id := range slices.Concat([]int{a.UID, a.GID}, a.Groups) {
		if id < 0 || int64(id) >= math.MaxUint32 {
			return fmt.Errorf("user %q has the id %d, which is out of range", a.Name, id)
		}
	}
	return nil
}
