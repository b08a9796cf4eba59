// SPDX-License-Identifier: Apache-2.0

package xdg

import "testing"

func TestDirectories(t *testing.T) {
	for _, c := range []struct {
		env                  map[string]string
		cache, state, config string
	}{
		{map[string]string{"HOME": "/h"}, "/h/.cache/banger/oci", "/h/.local/state/banger", "/h/.config/banger"},
		{map[string]string{"XDG_CACHE_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_CONFIG_HOME": "/f"}, "/c/banger/oci", "/s/banger", "/f/banger"},
		{map[string]string{"HOME": "/h", "XDG_CACHE_HOME": "c", "XDG_STATE_HOME": "./s", "XDG_CONFIG_HOME": "../f"},
			"/h/.cache/banger/oci", "/h/.local/state/banger", "/h/.config/banger"},
		{map[string]string{}, "", "", ""},
		{map[string]string{"HOME": "relative"}, "", "", ""},
	} {
		get := func(name string) string { return c.env[name] }
		if got, err := Cache(get); got != c.cache || (err == nil) != (c.cache != "") {
			t.Errorf("%v: cache %s, %v", c.env, got, err)
		}
		if got, err := State(get); got != c.state || (err == nil) != (c.state != "") {
			t.Errorf("%v: state %s, %v", c.env, got, err)
		}
		if got, err := Config(get); got != c.config || (err == nil) != (c.config != "") {
			t.Errorf("%v: config %s, %v", c.env, got, err)
		}
	}
}
