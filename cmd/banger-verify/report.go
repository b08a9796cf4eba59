// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"banger/lib/bundle"
	"banger/lib/filter"
	"banger/lib/status"
	"banger/lib/verify"
)

// A report tells how an image differs.
type report struct {
	tool   *filter.Tool
	image  string
	json   bool
	count  int
	failed error // to print
}

// add tells one difference.
func (r *report) add(d verify.Difference) {
	r.count++
	if !r.json {
		r.tool.Note(r.image + ": " + d.String())
		return
	}
	if r.failed == nil {
		r.failed = r.tool.PrintJSON(struct {
			Image string `json:"image"`
			verify.Difference
		}{r.image, d})
	}
}

// end returns what is to be said of all differences, after an edited manifest
// too.
func (r *report) end(edited bool) error {
	if r.failed != nil || r.count == 0 {
		return r.failed
	}
	err := status.Errorf(status.Bad, "differs, in %s", plural(r.count, "point"))
	if edited {
		err = status.Hint(err, "rootfs.mtree was edited after banger-flatten: --against BUNDLE compares with it")
	}
	return err
}

// wasEdited tells whether an ext4 file was made of another manifest than
// banger-flatten writes of its layers.
func wasEdited(want *verify.Want, docs bundle.Documents) bool {
	made := docs.Made
	if made == nil {
		made = docs.Ext4
	}
	return made != nil && made.Manifest != "" && made.Manifest != want.Manifest()
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
