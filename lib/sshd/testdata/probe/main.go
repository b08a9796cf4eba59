// SPDX-License-Identifier: Apache-2.0

// Command probe is the only program of a scratch image. It prints what it was
// started with.
package main

import (
	"encoding/json"
	"os"
)

func main() {
	dir, _ := os.Getwd()
	groups, _ := os.Getgroups()
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"Args": os.Args, "Env": os.Environ(), "Dir": dir, "UID": os.Getuid(), "GID": os.Getgid(), "Groups": groups,
	})
}
