// SPDX-License-Identifier: Apache-2.0

package store

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/zstd"

	"banger/lib/input"
	"banger/lib/sparse"
)

// Pack writes the parts of a kernel as a tar archive compressed with zstd, for
// AddKernel. It has neither owners nor times: the same parts give the same bytes.
func (b *KernelFiles) Pack(ctx context.Context, w io.Writer) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	files, disk, err := mountModules(ctx, b.files)
	if err != nil {
		return err
	}
	defer disk.Close()
	t := tar.NewWriter(z)
	pack := func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." || path == kernelFile {
			return err
		}
		return packOne(ctx, t, files, path, d)
	}
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if path == modulesPart && disk != nil { // as the directory that any banger reads
			return fs.WalkDir(files, modulesDir, pack)
		}
		return pack(path, d, err)
	})
	for _, closer := range []io.Closer{t, z} {
		if e := closer.Close(); err == nil {
			err = e
		}
	}
	return err
}

// PackFile packs a kernel into an existing empty file, and returns the size of the
// file in bytes and its SHA-256.
func (b *KernelFiles) PackFile(ctx context.Context, path string) (size int64, digest string, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return 0, "", err
	}
	err = errors.Join(b.Pack(ctx, f), f.Sync(), f.Close())
	if err != nil {
		return 0, "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, "", err
	}
	digest, err = sum(ctx, path)
	return info.Size(), digest, err
}

// IsPack reports whether a file is compressed with zstd (RFC 8878), as PackFile
// writes it.
func IsPack(path string) bool {
	f, err := input.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [4]byte
	_, err = io.ReadFull(f, magic[:])
	return err == nil && magic == [4]byte{0x28, 0xb5, 0x2f, 0xfd}
}

// packOne adds a file or directory to a tar.
func packOne(ctx context.Context, t *tar.Writer, files fs.FS, path string, d fs.DirEntry) error {
	if d.IsDir() {
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: path + "/", Mode: 0o755})
	}
	f, err := files.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(t, sparse.Interruptible(ctx, f))
	return err
}
