// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"banger/lib/status"
)

// Complete returns the name that Pull gives an image in a layout: "debian" is
// "docker.io/library/debian:latest".
func Complete(reference string) (string, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return "", status.Errorf(status.Usage, "%w", err)
	}
	return completed(ref), nil
}

// completed returns a reference with the host of Docker Hub that users know.
func completed(ref name.Reference) string {
	if rest, hub := strings.CutPrefix(ref.Name(), name.DefaultRegistry+"/"); hub {
		return "docker.io/" + rest
	}
	return ref.Name()
}
