// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"banger/lib/layout"
	"banger/lib/stage"
)

// removeLeftovers removes what killed processes left under temporary names, and the
// part files and damaged blobs that were last written before a time. A part of a blob
// that is leased stays: its process goes on with it when its turn comes.
func (c *Cache) removeLeftovers(freed *Freed, leased set, before time.Time, dryRun bool) failures {
	s := &sweeper{freed: freed, before: before, dryRun: dryRun}
	for _, name := range s.list(c.layout.Dir()) {
		if stage.IsTemporary(name) {
			s.remove(filepath.Join(c.layout.Dir(), name), s.tree)
		}
	}
	ingest := filepath.Join(c.layout.Dir(), layout.IngestDir)
	for _, name := range s.list(ingest) {
		if stem, ok := strings.CutSuffix(name, ".part"); ok && !leased[ingested(stem)] {
			s.remove(filepath.Join(ingest, name), func(path string) error {
				return errors.Join(s.old(filepath.Join(ingest, stem+".map")), s.old(path))
			})
		}
	}
	for _, name := range s.list(ingest) { // without a part file
		if stem, ok := strings.CutSuffix(name, ".map"); ok && !leased[ingested(stem)] {
			if _, err := os.Lstat(filepath.Join(ingest, stem+".part")); errors.Is(err, fs.ErrNotExist) {
				s.failed.add(s.old(filepath.Join(ingest, name)))
			}
		}
	}
	for _, name := range s.list(c.layout.AsideDir()) {
		s.failed.add(s.old(filepath.Join(c.layout.AsideDir(), name)))
	}
	return s.failed
}

// ingested returns the digest in the name of a part file, ALGORITHM-HEX.
func ingested(stem string) digest.Digest {
	return digest.Digest(strings.Replace(stem, "-", ":", 1))
}

// A sweeper removes files and counts them.
type sweeper struct {
	freed  *Freed
	before time.Time
	dryRun bool
	failed failures
}

// list returns the names in a directory, which need not exist.
func (s *sweeper) list(dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.failed.add(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// remove calls f for a file or directory that no process has locked, and locks it
// meanwhile.
func (s *sweeper) remove(path string, f func(path string) error) {
	lock, err := stage.TryLock(path)
	switch {
	case errors.Is(err, stage.ErrLocked), errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, fs.ErrPermission) && stage.IsTemporary(filepath.Base(path)) && stage.IsShared(filepath.Dir(path)):
		// Another user has just made it, or was killed then: it is empty, and that user's to remove.
	case err != nil:
		s.failed.add(err)
	default:
		defer lock.Close()
		s.failed.add(f(path))
	}
}

// tree removes a file or directory.
func (s *sweeper) tree(root string) error {
	var bytes int64
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			bytes += allocated(path)
		}
		return nil
	})
	if err == nil && !s.dryRun {
		err = os.RemoveAll(root)
	}
	s.count(bytes, err)
	return err
}

// old removes a file if it was last written before the time.
func (s *sweeper) old(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Before(s.before) {
		return nil
	}
	bytes := allocated(path)
	if err == nil && !s.dryRun {
		err = os.Remove(path)
	}
	s.count(bytes, err)
	return err
}

func (s *sweeper) count(bytes int64, err error) {
	if err == nil {
		s.freed.Files++
		s.freed.Bytes += bytes
	}
}

// allocated returns how many bytes of the disk a file takes. Part files have holes.
func allocated(path string) int64 {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return 0
	}
	return st.Blocks * 512
}
