// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/status"
)

// DefaultPlatform is the platform of images unless another one is asked for.
var DefaultPlatform = v1.Platform{OS: "linux", Architecture: "amd64"}

// ParsePlatform parses os/arch or os/arch/variant. The system must be linux.
func ParsePlatform(s string) (v1.Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return v1.Platform{}, status.Errorf(status.Usage, "platform %q: not os/arch[/variant]", s)
	}
	if parts[0] != "linux" {
		return v1.Platform{}, status.Errorf(status.Usage, "platform %q: unsupported system, not linux", s)
	}
	p := v1.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// PlatformString returns os/arch or os/arch/variant.
func PlatformString(p v1.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// matches reports whether an image for the platform got is one for want. Without
// a variant, want matches any. By default arm64 is v8 and amd64 is v1.
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
