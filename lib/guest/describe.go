// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"strings"
)

// Describe puts a plan in words: what is run, as whom, and by which rule. It may
// hold any bytes that the image's config has.
func Describe(root Root, p Plan) string {
	text := Words(p.Args)
	switch {
	case p.Rule == Idle:
		text = "nothing"
	case !p.IsInit():
		text += " as " + describeUser(root, p.User)
	}
	return text + ": " + string(p.Rule)
}

// describeUser names a user by the ids that a command of that user has. One that
// the image does not have is named as it was written.
func describeUser(root Root, user string) string {
	id, err := Identify(root, user)
	switch {
	case err != nil:
		return "user " + Quote(user)
	case id.UID == 0 && id.GID == 0 && len(id.Groups) == 0:
		return "root"
	}
	text := fmt.Sprintf("uid %d, gid %d", id.UID, id.GID)
	if len(id.Groups) > 0 {
		text += ", groups " + strings.Trim(fmt.Sprint(id.Groups), "[]")
	}
	return text
}
