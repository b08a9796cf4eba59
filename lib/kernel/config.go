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

// maxConfig bounds a configuration, in bytes; they have some 250,000.
const maxConfig = 16 << 20

var errLongConfig = fmt.Errorf("more than %d bytes", maxConfig)

// Config returns the configuration that a kernel has inside (CONFIG_IKCONFIG,
// kernel/configs.c), nil if it has none.
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
			err = status.Errorf(status.Bad, "the configuration inside the kernel: %w", err)
		}
		return err
	})
	return config, err
}

// A Config is how a kernel was configured: by the names of the options without
// CONFIG_, "y", "m" or another value. What is not set is not in it.
type Config map[string]string

// ParseConfig reads a .config (Documentation/kbuild/kconfig.rst). One without
// any option is an error: an empty file tells nothing.
func ParseConfig(r io.Reader) (Config, error) {
	c := Config{}
	limit := &io.LimitedReader{R: r, N: maxConfig + 1}
	lines := bufio.NewScanner(limit)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		option, is := strings.CutPrefix(lines.Text(), "CONFIG_")
		name, value, set := strings.Cut(option, "=")
		if is && set {
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
		return nil, status.Errorf(status.Bad, "configuration: no CONFIG_ line in it")
	}
	return c, nil
}
