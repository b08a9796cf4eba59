// SPDX-License-Identifier: Apache-2.0

package layout

import "banger/lib/stage"

// share lets the group write a file of a layout that it shares (package stage).
func (l *Layout) share(path string) error {
	if !stage.IsShared(l.dir) {
		return nil
	}
	return stage.ShareWithGroup(path)
}
