// SPDX-License-Identifier: Apache-2.0

package filter

import "banger/lib/status"

// Skipped are the items that a list leaves out. Each is named in a warning, so
// that one bad item does not hide the others.
type Skipped struct {
	tool *Tool
	tally
}

// Skipped returns an empty list of what is left out.
func (t *Tool) Skipped() *Skipped { return &Skipped{tool: t} }

// Add warns of an item that is left out, and why.
func (s *Skipped) Add(why error) {
	s.tool.Warn(why.Error())
	if status.Of(why) == status.NoInput {
		return // what is no item at all is no failure
	}
	if hint := status.HintOf(why); hint != "" {
		s.tool.Hint(hint)
	}
	s.add(why)
}

// Err returns what the process is to end with: nil if nothing failed.
func (s *Skipped) Err() error {
	if s.images == 0 {
		return nil
	}
	return s.err()
}
