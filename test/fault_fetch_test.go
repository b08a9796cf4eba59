// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// TestFetchFromBadRegistry has a registry misbehave in many ways: the image is
// not listed, no bad blob is kept, and the next run succeeds.
func TestFetchFromBadRegistry(t *testing.T) {
	layer, config, manifest := digests(t, smallImage(t))
	flip := rewrite(func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	longer := rewrite(func(b []byte) []byte { return append(b, "more"...) })
	shorter := rewrite(func(b []byte) []byte { return b[:len(b)-4] })
	html := rewrite(func([]byte) []byte { return []byte("<html>") })
	const tag, bad, missing, temporary = ":1", 65, 66, 75
	for name, w := range map[string]wrong{
		"blob cut":         {tag, onGet(layer, cut), temporary, ""},
		"config cut":       {tag, onGet(config, cut), temporary, ""},
		"manifest cut":     {tag, onGet("1", cut), temporary, ""},
		"blob stalls":      {tag, onGet(layer, stall), temporary, ""},
		"blob mute":        {tag, onGet(layer, mute), temporary, ""},
		"all mute":         {tag, mute, temporary, ""},
		"blob differs":     {tag, onGet(layer, flip), bad, layer},
		"config differs":   {tag, onGet(config, flip), bad, config},
		"blob longer":      {tag, onGet(layer, longer), bad, layer},
		"config longer":    {tag, onGet(config, longer), bad, config},
		"blob shorter":     {tag, onGet(layer, shorter), either, layer},
		"length too large": {tag, onGet(layer, misstate(+10)), temporary, ""},
		"length too small": {tag, onGet(layer, misstate(-10)), either, ""},
		"no manifest":      {tag, onGet("1", html), bad, ""},
		"other manifest":   {"@" + manifest, onGet(manifest, longer), bad, manifest},
		"blob unknown":     {tag, onGet(layer, refuse(404, "BLOB_UNKNOWN")), missing, ""},
		"manifest unknown": {tag, afterPing(refuse(404, "MANIFEST_UNKNOWN")), missing, "manifest unknown"},
		"name unknown":     {tag, afterPing(refuse(404, "NAME_UNKNOWN")), missing, "name unknown"},
		"rate limit":       {tag, afterPing(refuse(429, "TOOMANYREQUESTS")), temporary, ""},
		"blob rate limit":  {tag, onGet(layer, refuse(429, "TOOMANYREQUESTS")), temporary, ""},
		"unavailable":      {tag, refuse(503, "UNAVAILABLE"), temporary, ""},
		"blob unavailable": {tag, onGet(layer, refuse(503, "UNAVAILABLE")), temporary, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.judge(t)
		})
	}
}

// A wrong is what a registry does wrong, and how banger-fetch ends of it.
type wrong struct {
	asked string // tag or digest
	fault fault
	code  int
	said  string
}

// either is the code of a body that its length says is whole and that is
// short: a lie (65) or a cut (75), who can tell.
const either = -1

func (w wrong) judge(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	reg.push(t, "small:1", smallImage(t))
	ref := reg.host + "/small" + w.asked
	reg.misbehave(w.fault)
	began := time.Now()
	o := finish(t, u.command("banger-fetch", "--timeout", "1s", ref))
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("took %v to give up", took)
	}
	codes := []int{w.code}
	if w.code == either {
		codes = []int{65, 75}
	}
	o.failed(t, codes, "banger-fetch: "+ref+": ", w.said)
	if listed := cacheGood(t, u.cache()); listed != "" {
		t.Errorf("listed and not whole: %s", listed)
	}
	nothingLeft(t, u.home)
	reg.misbehave(nil)
	output(t, u.command("banger-fetch", ref))
	if listed := cacheGood(t, u.cache()); listed == "" {
		t.Error("fetched and not listed")
	}
	nothingLeft(t, u.home)
}

// cache is the user's blob cache.
func (u user) cache() string { return filepath.Join(u.home, ".cache/banger/oci") }

// digests are those of an image's largest layer, config and manifest.
func digests(t testing.TB, img v1.Image) (layer, config, manifest string) {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return m.Layers[0].Digest.String(), m.Config.Digest.String(), d.String()
}

// TestFetchRefused shows what is said to who may not: a registry that wants a
// password, one that wants a token and gives none, and one that forbids.
func TestFetchRefused(t *testing.T) {
	for name, refusal := range map[string]func(reg *faultRegistry) fault{
		"password": func(*faultRegistry) fault {
			return refuse(401, "UNAUTHORIZED", "WWW-Authenticate", `Basic realm="test"`)
		},
		"token": func(reg *faultRegistry) fault {
			return refuse(401, "UNAUTHORIZED", "WWW-Authenticate", `Bearer realm="http://`+reg.host+`/token",service="test"`)
		},
		"forbidden": func(*faultRegistry) fault { return afterPing(refuse(403, "DENIED")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg, u := newFaultRegistry(t), newUser(t, nobody)
			ref := reg.push(t, "small:1", smallImage(t))
			reg.misbehave(refusal(reg))
			o := finish(t, u.command("banger-fetch", ref))
			o.failed(t, []int{77}, "banger-fetch: "+ref+": ")
			if !hinted(o.stderr) {
				t.Errorf("no hint: %q", o.stderr)
			}
		})
	}
}

// TestFetchPlatform takes from a list the image asked for, and says so when it
// is not there.
func TestFetchPlatform(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	platforms := map[string]v1.Platform{
		"linux/arm64":  {OS: "linux", Architecture: "arm64", Variant: "v8"},
		"linux/arm/v7": {OS: "linux", Architecture: "arm", Variant: "v7"},
	}
	var index v1.ImageIndex = empty.Index
	for _, p := range platforms {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: smallFor(t, p), Descriptor: v1.Descriptor{Platform: &p},
		})
	}
	ref := reg.pushIndex(t, "list:1", index)
	finish(t, u.command("banger-fetch", ref)).failed(t, []int{66}, "banger-fetch: "+ref+": ", "linux/amd64")
	if listed := cacheGood(t, u.cache()); listed != "" {
		t.Errorf("listed: %s", listed)
	}
	for asked, p := range platforms {
		_, _, want := digests(t, smallFor(t, p))
		fetched(t, u.command("banger-fetch", "--platform", asked, ref), u.cache()+":"+ref+"@"+want)
	}
}

// fetched runs a command that must print just that line.
func fetched(t testing.TB, cmd *exec.Cmd, want string) {
	t.Helper()
	if got := output(t, cmd); got != want {
		t.Errorf("%v printed\n%s, want\n%s", cmd.Args, got, want)
	}
}
