// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"slices"
	"strings"
	"testing"
)

func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		command, dir, search string
		want                 []string
	}{
		{"app", "/srv", "/bin:sbin::/usr/bin/", []string{"/bin/app", "/srv/sbin/app", "/srv/app", "/usr/bin/app"}},
		{"app", "srv", ".", []string{"/srv/app"}},
		{"app", "/", "", nil},
		{"./app", "/srv", "/bin", []string{"/srv/app"}},
		{"/opt/app", "/srv", "/bin", []string{"/opt/app"}},
		{strings.Repeat("x", 5000), "/", UsualPath, nil},
	} {
		if got := slices.Collect(Candidates(c.command, c.dir, c.search)); !slices.Equal(got, c.want) {
			t.Errorf("%.100s in %s: %q, want %q", c.command, c.dir, got, c.want)
		}
	}
}

func TestSearchPath(t *testing.T) {
	if got := SearchPath([]string{"PATH=/a", "XPATH=/b", "PATH=/c:/d"}); got != "/c:/d" {
		t.Errorf("%q", got)
	}
	if got := SearchPath([]string{"A=b"}); got != UsualPath {
		t.Errorf("%q", got)
	}
}
