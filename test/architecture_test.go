// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestArchitecture checks the code against the table of lib/README.md: every
// package has a line, and imports only packages of lines below its own.
func TestArchitecture(t *testing.T) {
	table := packageTable(t)
	for _, p := range packages(t) {
		from, isLib := strings.CutPrefix(p.ImportPath, "banger/lib/")
		from, _, _ = strings.Cut(from, "/") // tar/tartest belongs to tar
		at := slices.Index(table, from)
		if isLib && at < 0 {
			t.Errorf("lib/README.md has no line for %s", from)
		}
		for _, imported := range p.Imports {
			to, ok := strings.CutPrefix(imported, "banger/lib/")
			if ok && isLib && slices.Index(table, to) <= at {
				t.Errorf("lib/%s imports lib/%s, which is not below it", from, to)
			}
			if strings.HasPrefix(imported, "banger/cmd/") || strings.HasPrefix(imported, "banger/") && strings.HasSuffix(imported, "test") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
			if isLib && networkOnly(imported) && from != "registry" && (imported != "net" || !slices.Contains(local, from)) {
				t.Errorf("lib/%s imports %s: only registry uses the network", from, imported)
			}
			if isLib && strings.HasPrefix(imported, "golang.org/x/crypto/ssh") && from != "sshd" && from != "machine" {
				t.Errorf("lib/%s imports %s: only sshd serves SSH, and machine makes keys", from, imported)
			}
			if from == "sshd" && (imported == "net/http" || strings.HasPrefix(imported, "banger/")) {
				t.Errorf("lib/sshd imports %s: it must be small and know nothing of guests", imported)
			}
			if isLib && strings.HasPrefix(imported, "github.com/opencontainers/") && slices.Contains(plain, from) {
				t.Errorf("lib/%s imports %s: it must not know OCI", from, imported)
			}
		}
	}
}

// plain packages know neither registries nor OCI documents.
var plain = []string{"tree", "layer", "tar", "mtree", "ext4", "sparse", "stage", "status"}

// local packages have sockets: QEMU's, and those of SSH in a guest.
var local = []string{"machine", "sshd"}

func networkOnly(path string) bool {
	return path == "net" || path == "net/http" || strings.HasPrefix(path, "github.com/google/go-containerregistry")
}

// TestArchitectureTable checks that every line of the table names a package.
func TestArchitectureTable(t *testing.T) {
	for _, name := range packageTable(t) {
		if _, err := os.Stat("../lib/" + name); err != nil {
			t.Errorf("lib/README.md has a line for %s: %v", name, err)
		}
	}
}

// packageTable returns the packages in the order of lib/README.md's table.
func packageTable(t *testing.T) []string {
	f, err := os.Open("../lib/README.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if cells := strings.Split(s.Text(), "|"); len(cells) > 3 && strings.Contains(cells[1], "`") {
			names = append(names, strings.Trim(cells[1], " `"))
		}
	}
	if len(names) == 0 {
		t.Fatal("lib/README.md has no table")
	}
	return names
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

// packages lists the packages of the module with the go command.
func packages(t *testing.T) []goPackage {
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = ".."
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader([]byte(output(t, list)))); d.More(); {
		var p goPackage
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}
