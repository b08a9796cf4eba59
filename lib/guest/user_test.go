// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"reflect"
	"testing"
)

const accountsList = `
/etc/passwd = root:x:0:0:root:/root:/bin/sh|web:x:101:102:web:/srv:/bin/false|
/etc/group = root:x:0:|web:x:102:|log:x:7:web,mail|ssl:x:8:web|
`

func TestIdentify(t *testing.T) {
	for spec, want := range map[string]Identity{
		"":        {0, 0, nil, "/root"},
		"root":    {0, 0, nil, "/root"},
		"0":       {0, 0, nil, "/root"},
		"web":     {101, 102, []int{7, 8}, "/srv"},
		"101":     {101, 102, []int{7, 8}, "/srv"},
		"web:log": {101, 7, nil, "/srv"},
		"web:9":   {101, 9, nil, "/srv"},
		"1234":    {1234, 0, nil, "/"},
		"1234:5":  {1234, 5, nil, "/"},
		":log":    {0, 7, nil, "/root"},
	} {
		got, err := Identify(root(t, accountsList), spec)
		if len(got.Groups) == 0 {
			got.Groups = nil
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", spec, got, err, want)
		}
	}
	for spec, want := range map[string]string{
		"nobody":     `user "nobody": no matching entries in passwd file`,
		"web:none":   `user "web:none": no matching entries in group file`,
		"-1":         `user "-1": uids and gids must be in range 0-2147483647`,
		"4294967296": `user "4294967296": uids and gids must be in range 0-2147483647`,
		"web:-1":     `user "web:-1": uids and gids must be in range 0-2147483647`,
	} {
		if got, err := Identify(root(t, accountsList), spec); err == nil || err.Error() != want {
			t.Errorf("%q: %+v, %v; want %s", spec, got, err, want)
		}
	}
	for _, spec := range []string{"", "root", "0:0"} {
		if got, err := Identify(root(t, "/bin/sh\n"), spec); err != nil || got.UID != 0 || got.GID != 0 {
			t.Errorf("%q without accounts: %+v, %v", spec, got, err)
		}
	}
}
