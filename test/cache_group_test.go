// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"banger/test/faultproxy"
)

// sharers is the id of the group that shares a cache.
const sharers = 61000

// TestCacheGroup lets two users with the umask 077 use one cache of their group: each
// goes on where the other was killed, and uses and removes what the other fetched.
func TestCacheGroup(t *testing.T) {
	needRoot(t)
	f := newFaulty(t, 33<<20, 300_000)
	p := f.proxy(t, modes[0], func(p *faultproxy.Proxy) { p.Rate = killRate })
	conf, shared := scratch(t), scratch(t)
	f.configure(t, conf, p)
	inMemory(t, shared, fmt.Sprint("mode=2775,gid=", sharers))
	if err := os.Chmod(conf, 0o755); err != nil {
		t.Fatal(err)
	}
	member := func(id uint32) func(tool string, args ...string) *exec.Cmd {
		u := newUser(t, id)
		return func(tool string, args ...string) *exec.Cmd {
			args = append([]string{"-c", `umask 077 && exec "$@"`, "sh", tool}, args...)
			cmd := withEnv(u.command("sh", args...), "XDG_CACHE_HOME="+shared, "DOCKER_CONFIG="+conf)
			cmd.SysProcAttr.Credential.Groups = []uint32{sharers}
			return cmd
		}
	}
	one, two := member(sharers+1), member(sharers+2)
	certs, app, small := filepath.Join(conf, "certs.d"), p.Host()+"/app:1", p.Host()+"/small:1"

	killAtWire(t, p, one("banger-fetch", "--hosts-dir", certs, app), 20<<20)
	output(t, two("banger-fetch", "--hosts-dir", certs, app))
	f.measure(t, p, 1, true)
	wire := p.Wire()
	output(t, one("banger-fetch", "--hosts-dir", certs, app))
	if more := p.Wire() - wire; more > 10_000 {
		t.Errorf("%d bytes for what the other user fetched", more)
	}

	f.push(t, "small:1", smallImage(t))
	line := output(t, two("banger-fetch", "--hosts-dir", certs, small))
	output(t, one("banger-flatten", line))
	output(t, one("banger-cache", "rm", small))
	begun := filepath.Join(shared, "banger/oci/.fetch.staging-AAAAAAAAAAAAAAAA") // and killed before it was shared
	output(t, one("mkdir", begun))
	output(t, two("banger-cache", "prune"))
	if err := os.Remove(begun); err != nil {
		t.Error(err)
	}
	output(t, two("banger-cache", "check"))
	if listed := output(t, two("banger-cache", "list")); strings.Contains(listed, small) || !strings.Contains(listed, app) {
		t.Errorf("listed: %s", listed)
	}
	private := output(t, exec.Command("find", shared, "!", "-group", fmt.Sprint(sharers), "-o", "!", "-perm", "-g=rw"))
	if private != "" {
		t.Errorf("not for the group: %s", private)
	}
}
