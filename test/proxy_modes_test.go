// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"banger/test/faultproxy"
)

// TestProxyModes reaches the registry through the proxy in each mode, with skopeo:
// without a fault, the proxy is a registry. banger-fetch then fetches what skopeo
// does, and uses HTTP/2 for manifests only.
func TestProxyModes(t *testing.T) {
	need(t, "skopeo")
	f := newFaulty(t, 300_000, 10_000)
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			p := f.proxy(t, m, nil)
			place, ref := f.place(t, p), p.Host()+"/app:1"
			skopeo(t, "copy", "--quiet", "--src-creds", account+":"+password, "--src-cert-dir", f.certificates(t),
				fmt.Sprint("--src-tls-verify=", m.tls), "docker://"+ref, "oci:"+filepath.Join(scratch(t), "layout")+":1")
			seen := len(p.Requests())
			o := finish(t, f.fetch(place, ref))
			f.complete(t, place, ref, o)
			discreet(t, p, o.stderr)
			for _, r := range p.Requests()[seen:] {
				if two := r.Major == 2; two != (m.tls && !isBlob(r)) && r.Path != "/token" {
					t.Errorf("%s %s: HTTP/%d", r.Method, r.Path, r.Major)
				}
			}
		})
	}
}

// certificates returns a directory for skopeo with the authority's certificate.
func (f *faulty) certificates(t *testing.T) string {
	t.Helper()
	dir := scratch(t)
	output(t, exec.Command("cp", f.ca.file("ca.pem"), filepath.Join(dir, "ca.crt")))
	return dir
}

func isBlob(r faultproxy.Request) bool {
	return filepath.Base(filepath.Dir(r.Path)) == "blobs" || r.Path == "/blob"
}
