// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"banger/lib/input"
)

// The names under which a disk gets what belongs to one machine.
var (
	// banger-init makes these directories where they are missing.
	mountPoints = []string{"/dev", "/proc", "/sys", "/run"}
	// It makes these files symlinks where they are missing or empty.
	nameFiles = map[string]string{"/etc/hosts": hostsFile, "/etc/resolv.conf": resolverFile}
	// The scripts of packages write these. One that is not random is empty, or as
	// machine-id(5) has it.
	machineIDs     = []string{"/etc/machine-id", "/var/lib/dbus/machine-id"}
	uninitialized  = "uninitialized" // with or without a newline
	machineSecrets = []string{
		"/etc/ssh/ssh_host_*", "/etc/dropbear/dropbear_*_host_key",
		"/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/var/lib/misc/random-seed", "/var/lib/seedrng/seed.*",
	}
)

// maxID is the size in bytes of the longest machine ID that is read.
const maxID = 64

// An original is what a disk had of all this, before its machine made changes.
// Names are those of dirRoot.at.
type original struct {
	had   map[string]bool     // all names, of directories above them too
	made  []string            // directories that banger-init may make
	gave  map[string]access   // what those have that it has made
	ids   map[string]idFile   // those that are not random
	times map[string]dirTimes // of directories
	kept  map[string]string   // where hide has put an empty file, by its name in nameFiles
}

// An idFile is a machine ID that is not random.
type idFile struct {
	text  string
	times []unix.Timespec
}

// An access is a directory's mode and owner.
type access struct{ mode, uid, gid uint32 }

// dirTimes are the times of a directory.
type dirTimes struct {
	before []unix.Timespec // of access and modification, before all changes
	after  unix.Timespec   // of modification, once banger-init has made its own
}

// newOriginal reads what a disk has. dirs are directories that banger-init makes
// if they are missing.
func newOriginal(disk dirRoot, dirs ...string) *original {
	o := &original{had: map[string]bool{}, gave: map[string]access{}, ids: map[string]idFile{}, times: map[string]dirTimes{}, kept: map[string]string{}}
	for _, name := range disk.all(slices.Concat(mountPoints, dirs)) {
		for at := name; at != "/"; at = path.Dir(at) {
			if !o.note(disk, at) && !slices.Contains(o.made, at) {
				o.made = append(o.made, at)
			}
		}
	}
	for name := range nameFiles {
		at, ok := disk.at(name)
		if !ok {
			continue
		}
		o.note(disk, at)
		if dir := path.Dir(at); !o.note(disk, dir) {
			o.made = append(o.made, dir)
		}
	}
	for _, name := range disk.all(machineIDs) {
		o.noteID(disk, name)
	}
	for _, pattern := range machineSecrets {
		for _, name := range disk.glob(pattern) {
			o.note(disk, name)
		}
	}
	o.note(disk, "/")
	return o
}

// note writes down whether a name exists.
func (o *original) note(disk dirRoot, name string) (exists bool) {
	var st unix.Stat_t
	if unix.Lstat(disk.host(name), &st) != nil {
		return false
	}
	o.had[name] = true
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		o.times[name] = dirTimes{[]unix.Timespec{st.Atim, st.Mtim}, st.Mtim}
	}
	return true
}

// noteID writes down a machine ID that is not random.
func (o *original) noteID(disk dirRoot, name string) {
	o.note(disk, path.Dir(name))
	if !o.note(disk, name) {
		return
	}
	var st unix.Stat_t
	f, err := input.OpenNoFollow(disk.host(name))
	if err != nil {
		return
	}
	defer f.Close()
	text, err := input.ReadAll(f, maxID)
	if err == nil && (len(text) == 0 || strings.TrimSuffix(string(text), "\n") == uninitialized) && unix.Fstat(int(f.Fd()), &st) == nil {
		o.ids[name] = idFile{string(text), []unix.Timespec{st.Atim, st.Mtim}}
	}
}

// hide keeps the empty files that become symlinks, under names in the disk's /run,
// which no process of the guest sees.
func (o *original) hide(disk dirRoot) {
	run, ok := disk.at("/run")
	for file := range nameFiles {
		name, found := disk.at(file)
		if !ok || !found {
			continue
		}
		info, err := os.Lstat(disk.host(name))
		if err != nil || !info.Mode().IsRegular() || info.Size() > 0 {
			continue
		}
		kept := path.Join(run, ".banger-"+path.Base(name))
		if err := os.Link(disk.host(name), disk.host(kept)); err != nil {
			say("%s: %v", name, cause(err))
			continue
		}
		o.kept[file] = kept
	}
	o.settle(disk)
}

// settle writes down that all changes of directories so far were banger-init's
// own, and how it has made those that were missing. It leaves out those on which something is mounted.
func (o *original) settle(disk dirRoot) {
	var root, st unix.Stat_t
	if unix.Lstat(disk.host("/"), &root) != nil {
		return
	}
	for name, t := range o.times {
		if unix.Lstat(disk.host(name), &st) == nil && st.Dev == root.Dev {
			t.after = st.Mtim
			o.times[name] = t
		}
	}
	for _, name := range o.made {
		if unix.Lstat(disk.host(name), &st) == nil && st.Dev == root.Dev {
			o.gave[name] = access{st.Mode, st.Uid, st.Gid}
		}
	}
}

// restore removes from a disk what belongs to the machine, and restores what was
// there in its place. What a script has made, or changed, stays, and so does what
// the disk had. Nothing may be mounted on the disk.
func (o *original) restore(disk dirRoot) error {
	own := o.unchanged(disk)
	errs := []error{o.removeSecrets(disk), o.restoreIDs(disk), o.restoreNames(disk)}
	slices.SortFunc(o.made, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, name := range o.made {
		o.removeMade(disk, name)
	}
	for _, dir := range own {
		errs = append(errs, setTimes(disk.host(dir), o.times[dir].before))
	}
	return errors.Join(errs...)
}

// removeMade removes a directory that banger-init has made, unless the script has put
// something there or changed its mode or owner.
func (o *original) removeMade(disk dirRoot, name string) {
	dir, ok := disk.at(name)
	var st unix.Stat_t
	if !ok || unix.Lstat(disk.host(dir), &st) != nil {
		return
	}
	if gave, known := o.gave[name]; known && gave != (access{st.Mode, st.Uid, st.Gid}) {
		return
	}
	unix.Rmdir(disk.host(dir)) // fails if something is there
}

// unchanged lists the directories whose entries only banger-init has changed.
func (o *original) unchanged(disk dirRoot) (dirs []string) {
	var st unix.Stat_t
	for dir, t := range o.times {
		if unix.Lstat(disk.host(dir), &st) == nil && st.Mtim == t.after {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func (o *original) removeSecrets(disk dirRoot) (err error) {
	for _, pattern := range machineSecrets {
		for _, name := range disk.glob(pattern) {
			if !o.had[name] {
				err = errors.Join(err, os.Remove(disk.host(name)))
			}
		}
	}
	return err
}

func (o *original) restoreIDs(disk dirRoot) (err error) {
	for _, name := range disk.all(machineIDs) {
		file := disk.host(name)
		info, e := os.Lstat(file)
		if e != nil || !info.Mode().IsRegular() {
			continue
		}
		before, fixed := o.ids[name]
		switch now, e := input.ReadFile(file, maxID); {
		case !o.had[name]:
			err = errors.Join(err, os.Remove(file))
		case fixed && (e != nil || string(now) != before.text):
			err = errors.Join(err, os.WriteFile(file, []byte(before.text), 0), setTimes(file, before.times))
		}
	}
	return err
}

// restoreNames removes the symlinks that are banger-init's.
func (o *original) restoreNames(disk dirRoot) (err error) {
	for file, target := range nameFiles {
		name, ok := disk.at(file)
		kept := o.kept[file]
		if !ok {
			if kept != "" {
				err = errors.Join(err, os.Remove(disk.host(kept)))
			}
			continue
		}
		now, e := os.Readlink(disk.host(name))
		switch own := e == nil && now == target && !(o.had[name] && kept == ""); {
		case own && kept != "":
			e = os.Rename(disk.host(kept), disk.host(name))
		case own:
			e = os.Remove(disk.host(name))
		case kept != "":
			e = os.Remove(disk.host(kept))
		default:
			e = nil
		}
		err = errors.Join(err, e)
	}
	return err
}

func setTimes(file string, times []unix.Timespec) error {
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(unix.AT_FDCWD, file, times, unix.AT_SYMLINK_NOFOLLOW))
}

// at returns a name with the symlinks of its directory followed. ok is false if they
// lead nowhere.
func (d dirRoot) at(name string) (resolved string, ok bool) {
	dir, err := d.follow(path.Dir(name))
	return path.Join(dir, path.Base(name)), err == nil
}

// all returns those of the names that at finds, in their order.
func (d dirRoot) all(names []string) (resolved []string) {
	for _, name := range names {
		if at, ok := d.at(name); ok {
			resolved = append(resolved, at)
		}
	}
	return resolved
}

// glob returns the names that match a pattern, which has a constant directory.
func (d dirRoot) glob(pattern string) (names []string) {
	pattern, ok := d.at(pattern)
	if !ok {
		return nil
	}
	entries, _ := os.ReadDir(d.host(path.Dir(pattern)))
	for _, e := range entries {
		if ok, _ := filepath.Match(path.Base(pattern), e.Name()); ok && e.Type()&fs.ModeDir == 0 {
			names = append(names, path.Join(path.Dir(pattern), e.Name()))
		}
	}
	return names
}
