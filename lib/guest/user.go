// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"bytes"
	"fmt"
	"io"

	"github.com/moby/sys/user"
)

// MaxAccounts is how many bytes of /etc/passwd and /etc/group are read.
const MaxAccounts = 4 << 20

// An Identity is the user that a command runs as.
type Identity struct {
	UID, GID int
	Groups   []int // supplementary
	Home     string
}

// Identify resolves the User of an OCI config, USER[:GROUP], each a name or a
// number, in the accounts of an image, as docker run does. Root exists in every
// image, and so does every number.
func Identify(root Root, spec string) (Identity, error) {
	passwd, err := accounts(root, "/etc/passwd")
	if err != nil {
		return Identity{}, err
	}
	group, err := accounts(root, "/etc/group")
	if err != nil {
		return Identity{}, err
	}
	if spec == "" || spec == "root" {
		spec = "0"
	}
	u, err := user.GetExecUser(spec, &user.ExecUser{Home: "/"}, passwd, group)
	if err != nil {
		return Identity{}, fmt.Errorf("user %q: %w", spec, err)
	}
	id := Identity{UID: u.Uid, GID: u.Gid, Groups: u.Sgids, Home: u.Home}
	if id.UID == 0 && id.Home == "/" {
		id.Home = "/root"
	}
	return id, nil
}

// accounts reads one of the files, nothing if the image has none.
func accounts(root Root, path string) (io.Reader, error) {
	text, err := root.ReadFile(path, MaxAccounts)
	if missing(err) {
		return new(bytes.Reader), nil
	}
	return bytes.NewReader(text), err
}
