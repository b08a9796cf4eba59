// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"encoding/json"
	"testing"
)

// A path of any bytes is read back from JSON as it was written.
func TestHostPath(t *testing.T) {
	for path, want := range map[HostPath]string{
		"/home/me/app":    `{"layout":"/home/me/app"}`,
		"/a b/\xff%41\n":  `{"layout":"/a%20b/%FF%2541%0A"}`,
		"/été:1@2?#\"\\+": `{"layout":"/%C3%A9t%C3%A9:1@2%3F%23%22%5C+"}`,
		"":                `{}`,
	} {
		type record struct {
			Layout HostPath `json:"layout,omitempty"`
		}
		raw, err := json.Marshal(record{path})
		if err != nil || string(raw) != want {
			t.Errorf("%q: %s, %v, want %s", path, raw, err, want)
		}
		var back record
		if err := json.Unmarshal(raw, &back); err != nil || back.Layout != path {
			t.Errorf("%q: read back as %q, %v", path, back.Layout, err)
		}
	}
	for _, text := range []string{`""`, `"app"`, `"./app"`, `"%2"`, `"/a%00"`, `1`} {
		if err := json.Unmarshal([]byte(text), new(HostPath)); err == nil {
			t.Errorf("%s is taken for a path", text)
		}
	}
}
