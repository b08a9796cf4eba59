// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"archive/tar"
	"fmt"
	"strings"
	"testing"
	"time"

	"banger/lib/ext4"
)

// acl returns an ACL in the format of the system calls, with rwx for user 1000.
// others is the id of the entries that have none, which archivers write
// differently.
func acl(others string) string {
	return "\x02\x00\x00\x00" +
		"\x01\x00\x06\x00" + others + "\x02\x00\x07\x00\xe8\x03\x00\x00" +
		"\x04\x00\x04\x00" + others + "\x10\x00\x07\x00" + others + "\x20\x00\x04\x00" + others
}

const undefined = "\xff\xff\xff\xff" // ACL_UNDEFINED_ID

// everything returns an image with every kind of entry; with whole, also those
// that mkfs.ext4 -d cannot keep.
func everything(whole bool) fixture {
	hole, data := strings.Repeat("\x00", 4096), noise(7, 4096)
	base := []entry{
		directory("."), directory("etc"), directory("usr"), directory("usr/lib"), directory("many"), directory("gone"),
		file("etc/empty", ""), file("etc/one", "1"), file("etc/block", data), file("etc/more", data+"1"),
		file("etc/zeros", hole+hole), file("usr/lib/large", noise(1, 300_000)), file("gone/x", "x"),
		file("usr/lib/runs", strings.Repeat(data+hole, 12)), file("usr/lib/before", hole+data), file("usr/lib/behind", data+hole+"\x00"),
		file("usr/lib/few", data+hole+hole+"tail"),
		link(tar.TypeLink, "usr/lib/large-too", "usr/lib/large"), link(tar.TypeLink, "etc/one-too", "etc/one"),
		link(tar.TypeSymlink, "fast", "usr/lib"), link(tar.TypeSymlink, "fast-59", strings.Repeat("f", 59)),
		link(tar.TypeSymlink, "slow-60", strings.Repeat("s", 60)), link(tar.TypeSymlink, "slow", strings.Repeat("./", 2000)+"usr"),
		special(tar.TypeChar, "null", 1, 3), special(tar.TypeChar, "far", 4095, 1<<20-1), special(tar.TypeBlock, "disk", 254, 0),
		special(tar.TypeFifo, "fifo", 0, 0), link(tar.TypeLink, "fifo-too", "fifo"),
		withXattrs(file("noted", "n"), "user.a", "1", "user.empty", ""),
		withXattrs(file("capable", "c"), "security.capability", "\x01\x00\x00\x02\x00\x20\x00\x00"+strings.Repeat("\x00", 12)),
		withXattrs(file("listed", "l"), "system.posix_acl_access", acl(undefined)),
		withXattrs(file("listed-otherwise", "l"), "system.posix_acl_access", acl("\x00\x00\x00\x00")),
		withXattrs(directory("defaults"), "system.posix_acl_default", "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff"),
	}
	owned := file("owned", "o")
	owned.Uid, owned.Gid, owned.Mode = 1<<32-2, 70000, 0o6711
	base = append(base, owned)
	for name, at := range map[string]time.Time{
		"old": time.Unix(-1<<31, 1), "before": time.Unix(-2, 999_999_999), "late": time.Unix(1<<34-1<<31-1, 999_999_999),
	} {
		e := file("etc/"+name, name)
		e.ModTime = at
		base = append(base, e)
	}
	for i := range 300 {
		base = append(base, file(fmt.Sprintf("many/%03d-%s", i, strings.Repeat("n", i%150)), noise(uint64(i), i%40)))
	}
	if whole {
		big := strings.Repeat("v", 300)
		base = append(base, link(tar.TypeLink, "slow-too", "slow"),
			withXattrs(file("block", "b"), "user.a", big, "user.b", noise(3, 1000), "trusted.c", ""), withXattrs(file("large", "l"), "user.l", noise(4, 9000)),
			withXattrs(file("shares", ""), "user.s", big), withXattrs(file("shares-too", ""), "user.s", big))
	}
	return fixture{[][]entry{base, {file("gone/.wh.x", ""), file("etc/one", "another"), directory("usr"), file("fast/through", "t")}}, &created}
}

// populations are the ways to fill an image. Those with whole keep everything.
var populations = map[string]struct {
	ext4.Options
	whole bool
}{
	"mkfs":   {},
	"direct": {direct, true},
}

// An image matches its layers and its bundle, whatever its creation time and
// with or without a lost+found in the layers.
func TestAgrees(t *testing.T) {
	with := func(name string) *time.Time {
		at, err := time.Parse(time.RFC3339Nano, name)
		if err != nil {
			t.Fatal(err)
		}
		return &at
	}
	for name, p := range populations {
		everything := everything(p.whole)
		for made, f := range map[string]fixture{
			"everything":       everything,
			"no layer":         {nil, &created},
			"no creation time": {everything.layers, nil},
			"in 1970":          {everything.layers, with("1970-01-01T00:00:00.5Z")},
			"in the year 1":    {everything.layers, with("0001-01-01T00:00:00Z")},
			"in 1800":          {everything.layers, with("1800-01-01T00:00:00Z")},
			"in 2200":          {everything.layers, with("2200-01-01T00:00:00.25Z")},
			"in 2500":          {everything.layers, with("2500-01-01T00:00:00Z")},
			"lost+found":       oneLayer(directory("lost+found")),
			"in lost+found":    oneLayer(directory("lost+found"), file("lost+found/#12", "12"), withXattrs(directory("lost+found/x"), "user.a", "1")),
			"from lost+found":  oneLayer(file("x", "x"), link(tar.TypeLink, "lost+found/x", "x")),
		} {
			t.Run(name+"/"+made, func(t *testing.T) {
				image := f.image(t)
				dir := flatten(t, image)
				file := ext4Of(t, dir, p.Options)
				agrees(t, file, layersOf(image))
				agrees(t, file, Bundle(dir, func(string) {}))
			})
		}
	}
}
