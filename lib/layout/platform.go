// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// DefaultPlatform is whose images are meant when nothing is said.
var DefaultPlatform = v1.Platform{OS: "linux", Architecture: "amd64"}

// ParsePlatform reads os/arch or os/arch/variant.
func ParsePlatform(s string) (v1.Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return v1.Platform{}, status.Errorf(status.Usage, "platform %q: not os/arch[/variant]", s)
	}
	if parts[0] != "linux" {
		return v1.Platform{}, status.Errorf(status.Usage, "platform %q: only linux boots from ext4", s)
	}
	p := v1.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// PlatformString is the inverse of ParsePlatform.
func PlatformString(p v1.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// matches reports whether an image for got runs where want is asked for. An
// unnamed variant is any; arm64 is arm64/v8 and amd64 is amd64/v1, which is how
// images without a variant are meant.
func matches(want, got v1.Platform) bool {
	return want.OS == got.OS && want.Architecture == got.Architecture &&
		(want.Variant == "" || variant(want) == variant(got))
}

func variant(p v1.Platform) string {
	switch {
	case p.Variant != "":
		return p.Variant
	case p.Architecture == "arm64":
		return "v8"
	case p.Architecture == "amd64":
		return "v1"
	}
	return ""
}
