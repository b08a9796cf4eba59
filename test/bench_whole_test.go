// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkLayers makes an ext4 image of the layers of an image of 1.5 GB and
// verifies it, next to two other ways to make one and to gzip -dc of the same
// layers, one after the other. The goal is to be no slower than gzip: gzip-x,
// gzip's time divided by banger's, is 1 or more.
func BenchmarkLayers(b *testing.B) {
	need(b, "time", "umoci", "skopeo", "mkfs.ext4", "gzip")
	u := newUser(b, uint32(os.Getuid()))
	i := u.layered(b, scaled(70_000), scaled[int64](1_500_000_000))
	u = u.onRAM(b)
	f := newFlattening(b, u, i)
	verified := f.verified(u)
	kib := f.sizeOfExt4(b, u)
	ext4, flatten, mkext4 := &entrant{name: "layers to ext4"}, &entrant{name: "flatten of these"}, &entrant{name: "mkext4 of these"}
	others := append(contest{f.gunzipAll(), f.umociThenMkfs(kib)}, f.exportThenTar2ext4(b)...)
	for b.Loop() {
		append(contest{verified}, others...).round(b, u)
		flattened, made := readTime(b, u.stage(1)), readTime(b, u.stage(2))
		ext4.costs = append(ext4.costs, cost{made[wall], flattened[cpu] + made[cpu], max(flattened[peak], made[peak])})
		made[wall] -= flattened[wall]
		flatten.costs, mkext4.costs = append(flatten.costs, flattened), append(mkext4.costs, made)
	}
	report(b, append(contest{ext4, flatten, mkext4, verified}, others...))
}

// verified is the whole pipeline, its first two tools under time(1). All three
// start at once and each waits for its predecessor's line: the image is
// complete when mkext4 ends, and mkext4 took the time since flatten ended.
func (f flattening) verified(u user) *entrant {
	script := fmt.Sprintf(`time -o "$3" -f '%s' banger-flatten -o "$0/x.bundle" "$1" |
		time -o "$4" -f '%[1]s' banger-mkext4 | banger-verify --against "$2"`, timeFormat)
	return &entrant{name: "verified ext4", command: func(dir string) []string {
		return []string{"sh", "-c", script, dir, f.String(), f.dir, u.stage(1), u.stage(2)}
	}}
}

// stage is the path of the time(1) report of a tool of the pipeline.
func (u user) stage(n int) string { return filepath.Join(u.home, fmt.Sprintf("stage-%d", n)) }

// sizeOfExt4 returns the size of the image in KiB.
func (f flattening) sizeOfExt4(b *testing.B, u user) (kib int64) {
	b.Helper()
	f.once(b, u, func(bundle string) {
		info, err := os.Stat(output(b, u.command("banger-mkext4", bundle)))
		if err != nil {
			b.Fatal(err)
		}
		kib = info.Size() >> 10
	})
	return kib
}

// gunzipAll inflates every layer, one after the other.
func (f flattening) gunzipAll() *entrant {
	return &entrant{name: "gzip -dc", command: func(string) []string {
		return append([]string{"sh", "-c", `exec gzip -dc "$@" >/dev/null`, "sh"}, f.layers...)
	}}
}

// umociThenMkfs unpacks with umoci and makes an ext4 image of the tree.
func (f flattening) umociThenMkfs(kib int64) *entrant {
	script := `umoci unpack --image "$1" "$0/umoci"`
	if f.rootless {
		// Otherwise mkfs.ext4 could not read the tree, nor RemoveAll remove
		// it.
		script = `umoci unpack --rootless --image "$1" "$0/umoci" && chmod -R u+rwX "$0/umoci"`
	}
	script += ` && exec "$2" -q -d "$0/umoci/rootfs" "$0/plain.ext4" "$3"`
	return &entrant{name: "umoci then mkfs -d", command: func(dir string) []string {
		return []string{"sh", "-c", script, dir, f.String(), which("mkfs.ext4"), fmt.Sprintf("%dk", kib)}
	}}
}

// exportThenTar2ext4 pipes one archive of all layers into tar2ext4. It is no
// entrant if tar2ext4 cannot be built.
func (f flattening) exportThenTar2ext4(b *testing.B) contest {
	b.Helper()
	program, err := tar2ext4.build()
	if err != nil {
		b.Log("without tar2ext4: ", err)
		return nil
	}
	export := buildHere(b, "extract")
	script := `{ "$1" "$2" || echo >"$0/failed"; } | "$3" -o "$0/tar.ext4" && ! test -e "$0/failed"`
	return contest{{name: "crane-export | tar2ext4", command: func(dir string) []string {
		return []string{"sh", "-c", script, dir, export, f.dir, program}
	}}}
}
