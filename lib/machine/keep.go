// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"banger/lib/ext4"
	"banger/lib/guest"
	"banger/lib/stage"
	"banger/lib/status"
)

// place finds out where Spec.Keep is, and refuses what cannot be a disk.
func (b *Boot) place() error {
	dir, err := filepath.Abs(filepath.Dir(b.Keep))
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return status.Errorf(status.NoInput, "%s: no such directory", b.Keep)
	}
	b.disk = filepath.Join(dir, filepath.Base(b.Keep))
	info, err := os.Stat(b.disk)
	if err == nil {
		if b.disk, err = filepath.EvalSymlinks(b.disk); err != nil {
			return err
		}
	}
	if err := checkPath(b.disk); err != nil {
		return err
	}
	image, err2 := os.Stat(b.rootfs())
	switch {
	case err == nil && err2 == nil && os.SameFile(info, image):
		return status.Hint(status.Errorf(status.Create, "%s: is the published image", b.Keep), "use another file with --keep")
	case errors.Is(err, fs.ErrNotExist) && !strings.HasSuffix(b.Keep, "/"), err == nil && info.Mode().IsRegular(),
		err == nil && b.Size == 0 && info.Mode().Type() == fs.ModeDevice: // a block device cannot grow
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return status.Hint(status.Errorf(status.Create, "%s: not a regular file", b.Keep), "--keep FILE needs a disk image, or a new name")
}

// keep makes the disk that is kept, or grows it, and locks it.
func (b *Boot) keep(ctx context.Context) error {
	if b.dry {
		return b.showKeep(ctx)
	}
	if _, err := os.Stat(b.disk); errors.Is(err, fs.ErrNotExist) {
		if err := b.makeDisk(ctx); err != nil {
			return err
		}
	}
	if err := b.lockDisk(); err != nil {
		return err
	}
	if err := b.ofImage(); err != nil {
		return err
	}
	size, err := b.diskSize(b.locked, b.Keep)
	if err != nil {
		return err
	}
	return b.growDisk(b.disk, size)
}

// showKeep shows how the disk that is kept is made, or grown.
func (b *Boot) showKeep(ctx context.Context) error {
	f, err := os.Open(b.disk)
	if errors.Is(err, fs.ErrNotExist) {
		size, err := b.imageSize()
		if err == nil {
			err = b.copyDisk(ctx, b.rootfs(), b.disk)
		}
		if err != nil {
			return err
		}
		return b.growDisk(b.disk, size)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := b.diskSize(f, b.Keep)
	if err != nil {
		return err
	}
	return b.growDisk(b.disk, size)
}

// beside returns a directory for what is made next to a file.
func beside(file string) (*stage.Stage, error) {
	return stage.NewDir(file, stage.Options{Replaces: func(string) bool { return true }})
}

// makeDisk makes a disk of the image. One that has come to be there meanwhile
// stays, and is the disk.
func (b *Boot) makeDisk(ctx context.Context) error {
	size, err := b.imageSize()
	if err != nil {
		return err
	}
	st, err := beside(b.disk)
	if err != nil {
		return err
	}
	defer st.Discard()
	made := filepath.Join(st.Path, "disk")
	if err := b.copyDisk(ctx, b.rootfs(), made); err != nil {
		return err
	}
	if err := b.growDisk(made, size); err != nil {
		return err
	}
	if err := b.current(); err != nil {
		return err
	}
	b.Show(Command{Args: []string{"mv", "-nT", made, b.disk}})
	err = unix.Renameat2(unix.AT_FDCWD, made, unix.AT_FDCWD, b.disk, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) {
		return b.place()
	}
	if err != nil {
		return status.Errorf(status.Create, "%s: cannot create: %w", b.Keep, err)
	}
	return nil
}

// lockDisk makes sure that no two machines have one disk. QEMU has locks of its
// own, but not before it runs.
func (b *Boot) lockDisk() error {
	f, err := os.OpenFile(b.disk, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return status.With(status.Create, err)
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || !stage.IsNamed(f, b.disk) {
		f.Close()
		return status.Hint(status.Errorf(status.Temporary, "%s: in use by another machine", b.Keep), "banger machine list")
	}
	b.locked = f
	return nil
}

// ofImage refuses the disk of another image, going by the UUID of its
// filesystem, which is the image's.
func (b *Boot) ofImage() error {
	uuid, err := ext4.ReadUUID(b.locked)
	if err != nil {
		return status.Hint(status.Errorf(status.Bad, "%s: %w", b.Keep, err), "use another file with --keep")
	}
	if uuid == b.Image.Ext4.UUID {
		return nil
	}
	err = status.Errorf(status.Bad, "%s: not a disk of %s: its filesystem has the UUID %s", b.Keep, b.Image.Name, uuid)
	if other := b.NameOf(uuid); other != "" {
		return status.Hint(err, "banger boot --keep %s %s", guest.Quote(b.Keep), other)
	}
	return status.Hint(err, "e2fsck -f %s; tune2fs -U %s %[1]s makes it one of %s", guest.Quote(b.disk), b.Image.Ext4.UUID, b.Image.Name)
}
