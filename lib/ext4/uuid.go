// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// NewUUID gives the filesystem in a file a random UUID, by tune2fs(8), which
// calculates all checksums of the metadata anew: the UUID is part of them. So the
// filesystem is checked before, as Sound does it for one that was mounted. It must
// not be mounted. What its journal has held becomes a hole.
func NewUUID(ctx context.Context, path string) error {
	m, err := open(path, os.O_RDWR)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.fsck(ctx); err != nil {
		return err
	}
	if err := m.dropLog(); err != nil {
		return err
	}
	// tune2fs refuses a filesystem that was mounted since its last check.
	low, high := m.u32(sbMountTime), m.super[sbMountTimeHi]
	err = m.editSuper(func(sb []byte) {
		le.PutUint32(sb[sbLastCheck:], low)
		sb[sbLastCheckHi] = high
	})
	if err != nil {
		return err
	}
	out, err := e2fsprogs(ctx, m.f, "tune2fs", "-U", "random")
	if full := fullDisk(string(out)); err != nil && full != nil {
		return fmt.Errorf("tune2fs: %w", full)
	}
	if errors.As(err, new(*exec.ExitError)) {
		return fmt.Errorf("tune2fs: %w: %s", err, bytes.TrimSpace(out))
	}
	return err
}
