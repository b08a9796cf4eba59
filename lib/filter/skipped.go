// SPDX-License-Identifier: Apache-2.0

package filter

import "banger/lib/status"

// Skipped counts the items that a list leaves out. Each is named in a warning,
// so that one bad item does not hide the others.
type Skipped struct {
	tool *Tool
	tally
}

// Skipped returns a count of no items.
func (t *Tool) Skipped() *Skipped { return &Skipped{tool: t} }

// Add warns of an item that is left out for the reason why.
func (s *Skipped) Add(why error) {
	s.tool.Warn(why.Error())
	if status.Of(why) == status.NoInput {
		return // not an item
	}
	if hint := status.HintOf(why); hint != "" {
		s.tool.Hint(hint)
	}
	s.add(why)
}

// Err returns the error of the tool, nil if no item failed.
func (s *Skipped) Err() error {
	if s.images == 0 {
		return nil
	}
	return s.err()
}
