// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"

	"banger/lib/status"
)

// maxConfig bounds a configuration, in bytes. Typical ones have 250,000.
const maxConfig = 16 << 20

var errLongConfig = fmt.Errorf("too large (limit %d bytes)", maxConfig)

// Config returns the configuration embedded in a kernel (CONFIG_IKCONFIG,
// kernel/configs.c), or nil.
func (f *File) Config(ctx context.Context) (config []byte, err error) {
	const mark = "IKCFG_ST"
	first := func([]byte) bool { return true }
	err = f.scan(ctx, mark+"\x1f\x8b", first, func(r *bufio.Reader) error {
		r.Discard(len(mark))
		z, err := gzip.NewReader(r)
		if err == nil {
			z.Multistream(false)
			config, err = io.ReadAll(io.LimitReader(z, maxConfig+1))
		}
		if err == nil && len(config) > maxConfig {
			err = errLongConfig
		}
		if err != nil {
			err = status.Errorf(status.Bad, "embedded configuration: %w", err)
		}
		return err
	})
	return config, err
}

// A Config maps the options that are set, without CONFIG_, to "y", "m" or another
// value.
type Config map[string]string

// ParseConfig reads a .config (Documentation/kbuild/kconfig.rst). A file without
// options is an error.
func ParseConfig(r io.Reader) (Config, error) {
	c := Config{}
	limit := &io.LimitedReader{R: r, N: maxConfig + 1}
	lines := bufio.NewScanner(limit)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		option, ok := strings.CutPrefix(lines.Text(), "CONFIG_")
		name, value, set := strings.Cut(option, "=")
		if ok && set {
			c[name] = value
		}
	}
	err := lines.Err()
	if limit.N == 0 {
		err = errLongConfig
	}
	if err != nil {
		return nil, status.With(status.Bad, fmt.Errorf("configuration: %w", err))
	}
	if len(c) == 0 {
		return nil, status.Errorf(status.Bad, "configuration: no CONFIG_ line")
	}
	return c, nil
}
