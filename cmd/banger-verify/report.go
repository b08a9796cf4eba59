// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"banger/lib/bundle"
	"banger/lib/filter"
	"banger/lib/status"
	"banger/lib/verify"
)

// A report prints the differences of an image.
type report struct {
	tool  *filter.Tool
	image string
	json  bool
	count int
	err   error // of printing
}

// add prints one difference.
func (r *report) add(d verify.Difference) {
	r.count++
	if !r.json {
		r.tool.Note(r.image + ": " + d.String())
		return
	}
	if r.err == nil {
		r.err = r.tool.PrintJSON(struct {
			Image string `json:"image"`
			verify.Difference
		}{r.image, d})
	}
}

// end returns an error that counts the differences, or nil if there are none.
// edited reports whether the image was made of an edited manifest.
func (r *report) end(edited bool) error {
	if r.err != nil || r.count == 0 {
		return r.err
	}
	err := status.Errorf(status.Bad, "%s", plural(r.count, "difference"))
	if edited {
		err = status.Hint(err, "rootfs.mtree was edited after banger-flatten; use --against with the bundle")
	}
	return err
}

// wasEdited reports whether an image was made of a manifest other than the one
// that banger-flatten writes for its layers.
func wasEdited(want *verify.Want, docs bundle.Documents) bool {
	made := docs.Made
	if made == nil {
		made = docs.Ext4
	}
	return made != nil && made.Manifest != "" && made.Manifest != want.Manifest()
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
