// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"
	"testing"

	"banger/lib/tar/tartest"
)

func TestXattrs(t *testing.T) {
	const capability = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	check(t, []rule{{
		name:   "Metadata: file capabilities, byte for byte (boxlite#1182)",
		layers: layers(pack(file("ping", "", pax("SCHILY.xattr.security.capability", capability)))),
		want:   `ping:{security.capability=\001\000\000\002\000\040` + strings.Repeat(`\000`, 14) + `}`,
	}, {
		name: "Metadata: trusted, user, and ACLs are kept",
		layers: layers(pack(dir("d", pax("SCHILY.xattr.system.posix_acl_default", "acl"), pax("SCHILY.xattr.trusted.t", "1"),
			pax("SCHILY.xattr.user.u", ""), pax("SCHILY.xattr.system.posix_acl_access", "a")))),
		want: "d/{system.posix_acl_access=a,system.posix_acl_default=acl,trusted.t=1,user.u=}",
	}, {
		name:   "Metadata: a name with = and . and spaces in it",
		layers: layers(pack(tartest.Pax("LIBARCHIVE.xattr.user.a%3D%20b.c", "djE"), file("x", ""))),
		want:   "x:{user.a= b.c=v1}",
	}, {
		name:   "Metadata: a value with newlines",
		layers: layers(pack(file("x", "", pax("SCHILY.xattr.user.a", "1\n12 path=y\n")))),
		want:   `x:{user.a=1\01212\040path\075y\012}`,
	}, {
		name: "Metadata: SCHILY wins over LIBARCHIVE",
		layers: layers(pack(file("x", "", pax("LIBARCHIVE.xattr.user.a", "b2xk"), pax("SCHILY.xattr.user.a", "new"),
			pax("LIBARCHIVE.xattr.user.b", "b2xk")))),
		want: "x:{user.a=new,user.b=old}",
	}, {
		name: "Metadata: a LIBARCHIVE value that is not base64", err: "pax record",
		layers: layers(pack(file("x", "", pax("LIBARCHIVE.xattr.user.a", "!")))),
	}, {
		name: "Metadata: a LIBARCHIVE name badly encoded", err: "pax record",
		layers: layers(pack(file("x", "", pax("LIBARCHIVE.xattr.user.%zz", "")))),
	}, {
		name: "Metadata: a value of 64 KiB", want: "x:{user.a=" + strings.Repeat("v", 64<<10) + "}",
		layers: layers(pack(file("x", "", pax("SCHILY.xattr.user.a", strings.Repeat("v", 64<<10))))),
	}, {
		name: "Metadata: a value over 64 KiB", err: "65537 bytes",
		layers: layers(pack(file("x", "", pax("SCHILY.xattr.user.a", strings.Repeat("v", 64<<10+1))))),
	}})
}

func TestWarnings(t *testing.T) {
	image := newImage(t)
	twice := pack(
		symlink("l", "t", pax("SCHILY.xattr.user.on-a-link", "1")),
		file("x", "", pax("SCHILY.xattr.btrfs.compression", "zstd"), pax("SCHILY.acl.access", "u::rw"), pax("RHT.security.selinux", "s")),
		file("y", "", pax("SCHILY.acl.access", "u::r"), pax("SCHILY.fflags", "nodump"), pax("VENDOR.key", "v")),
	)
	if err := image.apply(twice, twice); err != nil {
		t.Fatal(err)
	}
	if got, want := image.show(), "l->t x: y:"; got != want {
		t.Errorf("Metadata: xattrs the kernel rejects are not skipped: %s", got)
	}
	all := strings.Join(image.warned, "\n")
	for _, key := range []string{"user.on-a-link", "btrfs.compression", "SCHILY.acl.", "RHT.", "SCHILY.fflags"} {
		if strings.Count(all, key) != 1 {
			t.Errorf("Metadata: one warning an image for %s, not\n%s", key, all)
		}
	}
	if len(image.warned) != 5 {
		t.Errorf("%d warnings:\n%s", len(image.warned), all)
	}
}
