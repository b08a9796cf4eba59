// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"banger/lib/status"
)

// One module may be large; all together are limited.
func TestOrderBounds(t *testing.T) {
	large := func(fields ...string) *fstest.MapFile {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(append(module(fields...), make([]byte, 60<<20)...))
		z.Close()
		return file(b.Bytes())
	}
	chain := func(n int, one func(...string) *fstest.MapFile) fstest.MapFS {
		tree := fstest.MapFS{}
		for i := range n {
			tree[fmt.Sprintf("m%d.ko", i)] = one(fmt.Sprintf("depends=m%d", (i+1)%n))
		}
		return tree
	}
	small := func(fields ...string) *fstest.MapFile { return file(module(fields...)) }
	talk := "license=" + strings.Repeat("x", maxSection-20)
	loud := func(fields ...string) *fstest.MapFile { return file(module(talk)) }
	ask := file(module("softdep=pre: nothing"))
	for name, c := range map[string]struct {
		tree  fstest.MapFS
		words string // "" if it is not too much
	}{
		"four large ones":  {chain(4, large), ""},
		"five large ones":  {chain(5, large), "bytes or"},
		"128":              {chain(maxCount, small), ""},
		"129":              {chain(maxCount+1, small), "more than 128 modules"},
		"softdeps":         {fstest.MapFS{"m0.ko": file(module("softdep=pre: " + strings.Repeat("x ", maxSoftdeps)))}, ""},
		"too many":         {fstest.MapFS{"m0.ko": file(module("softdep=pre: " + strings.Repeat("x ", maxSoftdeps+1)))}, "softdeps"},
		"much that's said": {over(chain(34, loud), "m0.ko", ask), "of .modinfo"},
		"less":             {over(chain(32, loud), "m0.ko", ask), ""},
	} {
		m, err := OpenModules(c.tree)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Order("m0")
		if c.words == "" && (err != nil || len(got) == 0) {
			t.Errorf("%s: %v", name, err)
		}
		if c.words != "" && (status.Of(err) != status.Bad || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s: %d modules, %v", name, len(got), err)
		}
	}
}

func over(tree fstest.MapFS, name string, f *fstest.MapFile) fstest.MapFS {
	tree[name] = f
	return tree
}

// A list is read up to its limit.
func TestListBound(t *testing.T) {
	for size, want := range map[int]status.Code{maxList: status.OK, maxList + 1: status.Bad} {
		_, err := OpenModules(fstest.MapFS{"modules.builtin": file(bytes.Repeat([]byte("\n"), size))})
		if status.Of(err) != want {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
