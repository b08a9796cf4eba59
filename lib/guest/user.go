// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/moby/sys/user"
)

// maxAccounts is how many bytes of /etc/passwd and /etc/group are read.
const maxAccounts = 4 << 20

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
	passwd, group, err := Accounts(root)
	if err != nil {
		return Identity{}, err
	}
	if spec == "" || spec == "root" {
		spec = "0"
	}
	u, err := user.GetExecUser(spec, &user.ExecUser{Home: "/"}, passwd, group)
	if cause := errors.Unwrap(err); cause != nil {
		err = cause // without the name of the user
	}
	if err != nil {
		return Identity{}, fmt.Errorf("user %q: %w", spec, err)
	}
	id := Identity{UID: u.Uid, GID: u.Gid, Groups: u.Sgids, Home: u.Home}
	if id.UID == 0 && id.Home == "/" {
		id.Home = "/root"
	}
	return id, nil
}

// Accounts returns the text of /etc/passwd and /etc/group. It is empty if the image
// does not have the file.
func Accounts(root Root) (passwd, group io.Reader, err error) {
	var texts [2][]byte
	for i, path := range []string{"/etc/passwd", "/etc/group"} {
		if texts[i], err = root.ReadFile(path, maxAccounts); err != nil && !missing(err) {
			return nil, nil, err
		}
	}
	return bytes.NewReader(texts[0]), bytes.NewReader(texts[1]), nil
}
