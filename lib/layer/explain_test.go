// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"fmt"
	"strings"
	"testing"
)

// The events tell which entry removed a path.
func TestEvents(t *testing.T) {
	image := newImage(t)
	err := image.apply(
		pack(dir("./etc"), file("etc/foo", "1"), file("etc/d/x", ""), file("etc/bar", ""), file("o/p", "")),
		pack(file("etc/./.wh.foo", ""), file("etc/d", "now a file"), dir("etc/"), file("o/.wh..wh..opq", "")),
		pack(symlink("/etc/bar", "d"), hard("etc/d", "etc/d"), dir("./")),
		pack(file(".wh.etc", "")),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := `1 + etc by "./etc/"
1 + etc/foo by "etc/foo"
1 + etc/d/x by "etc/d/x"
1 + etc/bar by "etc/bar"
1 + o/p by "o/p"
2 - etc/foo by "etc/./.wh.foo"
2 - o/p by "o/.wh..wh..opq"
2 - etc/d/x by "etc/d"
2 - etc/d by "etc/d"
2 + etc/d by "etc/d"
2 + etc by "etc/"
3 - etc/bar by "/etc/bar"
3 + etc/bar by "/etc/bar"
3 + etc/d by "etc/d"
3 + . by "./"
4 - etc/bar by ".wh.etc"
4 - etc/d by ".wh.etc"
4 - etc by ".wh.etc"
`
	var got strings.Builder
	for _, e := range image.events {
		fmt.Fprintf(&got, "%s %c %s by %q\n", e.Layer, e.Op, e.Path, e.By)
	}
	if trimSlash(got.String()) != trimSlash(want) {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

// trimSlash removes a slash at the end of the name of a directory.
func trimSlash(s string) string { return strings.ReplaceAll(s, "/\"", "\"") }
