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

// TestFetchFromBadRegistry makes a registry misbehave in many ways: the image
// is not listed, no bad blob is kept, and the next run succeeds. Servers that are
// silent are tested in lib/transfer and lib/registry, with a clock of their own.
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
		"blob differs":     {tag, onGet(layer, flip), bad, layer},
		"config differs":   {tag, onGet(config, flip), bad, config},
		"blob longer":      {tag, onGet(layer, longer), bad, layer},
		"config longer":    {tag, onGet(config, longer), bad, config},
		"blob shorter":     {tag, onGet(layer, shorter), either, layer},
		"length too large": {tag, onGet(layer, misstate(+10)), bad, layer},
		"length too small": {tag, onGet(layer, misstate(-10)), either, ""},
		"no manifest":      {tag, onGet("1", html), bad, ""},
		"other manifest":   {"@" + manifest, onGet(manifest, longer), bad, manifest},
		"blob unknown":     {tag, onGet(layer, refuse(404, "BLOB_UNKNOWN")), missing, ""},
		"manifest unknown": {tag, refuse(404, "MANIFEST_UNKNOWN"), missing, "no such tag or digest"},
		"name unknown":     {tag, refuse(404, "NAME_UNKNOWN"), missing, "no such repository"},
		"rate limit":       {tag, refuse(429, "TOOMANYREQUESTS"), temporary, ""},
		"blob rate limit":  {tag, onGet(layer, refuse(429, "TOOMANYREQUESTS")), temporary, ""},
		"unavailable":      {tag, refuse(503, "UNAVAILABLE"), temporary, ""},
		"blob unavailable": {tag, onGet(layer, refuse(503, "UNAVAILABLE")), temporary, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.test(t)
		})
	}
}

// A wrong is a registry's fault, and how banger-fetch ends.
type wrong struct {
	name  string // tag or digest
	fault fault
	code  int
	word  string // in the message
}

// either is the exit code for a body that is as long as stated but short:
// wrong (65) or cut off (75), which the client cannot tell.
const either = -1

func (w wrong) test(t *testing.T) {
	reg, u := newFaultRegistry(t), newUser(t, nobody)
	reg.push(t, "small:1", smallImage(t))
	ref := reg.host + "/small" + w.name
	reg.misbehave(w.fault)
	start := time.Now()
	o := finish(t, u.command("banger-fetch", "--retry-for", "1s", ref))
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v to give up", took)
	}
	codes := []int{w.code}
	if w.code == either {
		codes = []int{65, 75}
	}
	o.failed(t, codes, "banger-fetch: "+ref+": ", w.word)
	if listed := cacheGood(t, u.cache()); listed != "" {
		t.Errorf("listed but not whole: %s", listed)
	}
	nothingLeft(t, u.home)
	reg.misbehave(nil)
	output(t, u.command("banger-fetch", ref))
	if listed := cacheGood(t, u.cache()); listed == "" {
		t.Error("fetched but not listed")
	}
	nothingLeft(t, u.home)
}

// cache is the path of the user's blob cache.
func (u user) cache() string { return filepath.Join(u.home, ".cache/banger/oci") }

// digests returns the digests of an image's largest layer, config and manifest.
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

// TestFetchRefused checks the exit status and the hint for a registry that
// wants a password, one that wants a token and gives none, and one that
// forbids.
func TestFetchRefused(t *testing.T) {
	for name, refusal := range map[string]func(reg *faultRegistry) fault{
		"password": func(*faultRegistry) fault {
			return refuse(401, "UNAUTHORIZED", "WWW-Authenticate", `Basic realm="test"`)
		},
		"token": func(reg *faultRegistry) fault {
			return refuse(401, "UNAUTHORIZED", "WWW-Authenticate", `Bearer realm="http://`+reg.host+`/token",service="test"`)
		},
		"forbidden": func(*faultRegistry) fault { return refuse(403, "DENIED") },
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

// TestFetchPlatform fetches the image of a platform from an index, and fails
// for one that is not in it.
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

// fetched runs a command that must print exactly this line.
func fetched(t testing.TB, cmd *exec.Cmd, want string) {
	t.Helper()
	if got := output(t, cmd); got != want {
		t.Errorf("%v printed\n%s, want\n%s", cmd.Args, got, want)
	}
}
