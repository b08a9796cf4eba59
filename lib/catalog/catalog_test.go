// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"strings"
	"testing"

	"banger/lib/status"
)

func TestParse(t *testing.T) {
	c, err := Parse("here", []byte(`{"version":1,"of":"later","entries":[
		{"name":"a","distro":"void","arch":"arm64","kernel_version":"6","size_bytes":9,"description":"x","tarball_url":"u","tarball_sha256":"s"},
		{"name":"b","ref":"r"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{Name: "a", Distro: "void", Arch: "arm64", KernelVersion: "6", SizeBytes: 9, Description: "x", TarballURL: "u", TarballSHA256: "s"},
		{Name: "b", Ref: "r"},
	}
	if c.From != "here" || len(c.Entries) != 2 || c.Entries[0] != want[0] || c.Entries[1] != want[1] {
		t.Errorf("%+v", c)
	}
	for text, words := range map[string]string{
		"": "not a catalog", "<html>": "not a catalog", "[]": "not a catalog of kernels: is a JSON array", `{"version":"1"}`: "not a catalog of kernels: version is a JSON string",
		`{"version":1} x`: "not a catalog", `{"version":1,"entries":{}}`: "not a catalog",
		"{}": "version 0", `{"version":2}`: "version 2", `{"version":-1}`: "version -1",
		`{"version":1}` + strings.Repeat(" ", maxCatalog): "more than",
	} {
		if _, err := Parse("here", []byte(text)); status.Of(err) != status.Bad || !strings.Contains(err.Error(), words) {
			t.Errorf("%.40s: %v, want %s", text, err, words)
		}
	}
}

const (
	someSum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	someRef = "quay.example/kernels/void@sha256:" + someSum
)

func tarball() Entry {
	return Entry{Name: "k", Arch: "amd64", KernelVersion: "6.1", SizeBytes: 1, TarballURL: "k.tar.zst", TarballSHA256: someSum}
}

func image() Entry { return Entry{Name: "k", Arch: "arm64", KernelVersion: "6.1", Ref: someRef} }

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		of     func() Entry
		damage func(*Entry)
		words  string // "" if nothing is wrong
	}{
		"a tarball":               {tarball, func(*Entry) {}, ""},
		"an image":                {image, func(*Entry) {}, ""},
		"of a URL":                {tarball, func(e *Entry) { e.TarballURL = "https://x.example/k?a=b" }, ""},
		"of a path":               {tarball, func(e *Entry) { e.TarballURL = "/srv/k" }, ""},
		"no name":                 {tarball, func(e *Entry) { e.Name = "" }, "not a valid name"},
		"a name that leads out":   {tarball, func(e *Entry) { e.Name = "../k" }, "not a valid name"},
		"a hidden name":           {tarball, func(e *Entry) { e.Name = ".k" }, "not a valid name"},
		"no arch":                 {tarball, func(e *Entry) { e.Arch = "" }, "arch"},
		"another's word for it":   {tarball, func(e *Entry) { e.Arch = "x86_64" }, "arch"},
		"no version":              {image, func(e *Entry) { e.KernelVersion = "" }, "kernel_version"},
		"nowhere":                 {tarball, func(e *Entry) { e.TarballURL = "" }, "either tarball_url or ref"},
		"in two places":           {tarball, func(e *Entry) { e.Ref = someRef }, "either tarball_url or ref"},
		"an image by tag":         {image, func(e *Entry) { e.Ref = "quay.example/kernels/void:6.1" }, "by digest"},
		"a digest that is cut":    {image, func(e *Entry) { e.Ref = someRef[:len(someRef)-1] }, "by digest"},
		"no size":                 {tarball, func(e *Entry) { e.SizeBytes = 0 }, "size_bytes"},
		"a size below 0":          {tarball, func(e *Entry) { e.SizeBytes = -1 }, "size_bytes"},
		"no sum":                  {tarball, func(e *Entry) { e.TarballSHA256 = "" }, "tarball_sha256"},
		"a sum of another kind":   {tarball, func(e *Entry) { e.TarballSHA256 = someSum[:40] }, "tarball_sha256"},
		"a sum in upper case":     {tarball, func(e *Entry) { e.TarballSHA256 = strings.ToUpper(someSum) }, "tarball_sha256"},
		"a sum of no digits":      {tarball, func(e *Entry) { e.TarballSHA256 = strings.Repeat("z", 64) }, "tarball_sha256"},
		"from the host's own":     {tarball, func(e *Entry) { e.TarballURL = "file:///etc/shadow" }, "tarball_url"},
		"by another protocol":     {tarball, func(e *Entry) { e.TarballURL = "ftp://x.example/k" }, "tarball_url"},
		"a URL without a host":    {tarball, func(e *Entry) { e.TarballURL = "https:///k" }, "tarball_url"},
		"a URL with a wrong port": {tarball, func(e *Entry) { e.TarballURL = "http://x.example:y/k" }, "tarball_url"},
	} {
		e := c.of()
		c.damage(&e)
		err := e.Check()
		if c.words == "" && err != nil || c.words != "" && (status.Of(err) != status.Bad || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s: status %d, %v; want %q", name, status.Of(err), err, c.words)
		}
	}
}

// A bad entry does not hide the others.
func TestFind(t *testing.T) {
	c := &Catalog{From: "here", Version: 1, Entries: []Entry{tarball(), {Name: "damaged"}, image(), image(), {Name: "../x"}}}
	c.Entries[2].Name, c.Entries[3].Name = "twice", "twice"
	if e, err := c.Find("k"); err != nil || e != &c.Entries[0] {
		t.Errorf("k: %+v, %v", e, err)
	}
	var damaged []string
	offers := c.Offers(func(err error) { damaged = append(damaged, err.Error()) })
	if len(offers) != 1 || offers[0] != &c.Entries[0] {
		t.Errorf("offers %v", offers)
	}
	if got := strings.Join(damaged, "\n"); len(damaged) != 3 || !strings.Contains(got, "entry twice: duplicate name") {
		t.Errorf("damaged:\n%s", got)
	}
	if e, err := c.Find("none"); e != nil || err != nil {
		t.Errorf("none: %+v, %v", e, err)
	}
	for name, words := range map[string]string{"damaged": "entry damaged: arch", "twice": "duplicate name", "../x": "not a valid name"} {
		e, err := c.Find(name)
		if e != nil || status.Of(err) != status.Bad || !strings.HasPrefix(err.Error(), "catalog here: ") || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestLocation(t *testing.T) {
	for _, c := range []struct{ from, url, want string }{
		{"/srv/k/kernels.json", "6.1/k.tar", "/srv/k/6.1/k.tar"},
		{"/srv/k/kernels.json", "../k.tar", "/srv/k.tar"},
		{"/srv/k/kernels.json", "/mnt/k.tar", "/mnt/k.tar"},
		{"/srv/k/kernels.json", "https://x.example/k.tar", "https://x.example/k.tar"},
		{"kernels.json", "k.tar", "k.tar"},
		{"here/kernels.json", "k.tar", "here/k.tar"},
		{"http://x.example/k/kernels.json", "k.tar", "http://x.example/k/k.tar"},
		{"http://x.example/k/kernels.json?of=me", "k.tar?b", "http://x.example/k/k.tar?b"},
		{"http://x.example/k/kernels.json", "../../../k.tar", "http://x.example/k.tar"},
		{"http://x.example/k/kernels.json", "/etc/shadow", "http://x.example/etc/shadow"},
		{"http://x.example/k/kernels.json", "http://y.example/k.tar", "http://y.example/k.tar"},
	} {
		got, err := (&Catalog{From: c.from}).Location(&Entry{TarballURL: c.url})
		if err != nil || got != c.want {
			t.Errorf("%s in %s: %s, %v; want %s", c.url, c.from, got, err, c.want)
		}
	}
}

// An entry that cannot be decoded does not hide the others.
func TestMistyped(t *testing.T) {
	c, err := Parse("here", []byte(`{"version":1,"entries":[{"name":"bad","size_bytes":"12"},
		{"name":"good","arch":"amd64","kernel_version":"6","ref":"x/y@sha256:`+strings.Repeat("a", 64)+`"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := c.Find("good"); e == nil || err != nil {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := c.Find("bad"); status.Of(err) != status.Bad || !strings.HasSuffix(err.Error(), "entry bad: size_bytes is a JSON string") {
		t.Errorf("%v", err)
	}
}
