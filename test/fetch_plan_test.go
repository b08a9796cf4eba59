// SPDX-License-Identifier: Apache-2.0

package test

import (
	"regexp"
	"testing"
)

// TestFetchPlan plans to fetch an image with a layer that its manifest lists twice: the
// total is what is fetched.
func TestFetchPlan(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	var once, twice smallTar
	once.file("etc/once", 0o644, smallNoise(1, 300_000))
	twice.file("etc/twice", 0o644, smallNoise(2, 500_000))
	layer := twice.layer(t)
	ref := reg.push(t, "a:1", smallLayers(t, layer, once.layer(t), layer))
	for _, want := range []string{`layer .*\nlayer .*\nlayer .*\ntotal +8[0-9]{2}(\.[0-9]+)?kB +to fetch$`, `total +0B +to fetch$`} {
		if got := output(t, u.command("banger-fetch", "--dry-run", ref)); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("printed\n%s\nwant %s", got, want)
		}
		output(t, u.command("banger-fetch", ref))
	}
}
