// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"banger/lib/status"
)

// Mkfs is mkfs.ext4 of e2fsprogs.
type Mkfs struct {
	path    string
	Version string // as in 1.47.0
}

// systemDirs are where e2fsprogs are when they are not in an ordinary user's PATH.
var systemDirs = []string{"/usr/sbin", "/sbin"}

var versionLine = regexp.MustCompile(`mke2fs (1\.(\d+)\S*)`)

// FindMkfs finds mkfs.ext4 in PATH or where system tools are kept.
func FindMkfs(ctx context.Context) (*Mkfs, error) {
	path, err := find("mkfs.ext4")
	if err != nil {
		return nil, err
	}
	ask := exec.CommandContext(ctx, path, "-V")
	ask.WaitDelay = time.Second // for one that has children of its own
	out, _ := output(ctx, ask)  // what it says tells
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	found := versionLine.FindSubmatch(out)
	if found == nil {
		return nil, fmt.Errorf("%s -V: not e2fsprogs: %q", path, out)
	}
	m := &Mkfs{path: path, Version: string(found[1])}
	if minor, _ := strconv.Atoi(string(found[2])); minor < 45 {
		return nil, status.Hint(status.Errorf(status.Failed, "%s: e2fsprogs %s is too old", path, m.Version),
			"install e2fsprogs 1.45 or later")
	}
	return m, nil
}

// find finds a program of e2fsprogs in PATH or where system tools are kept.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	for _, dir := range systemDirs {
		if err != nil {
			path, err = exec.LookPath(dir + "/" + program)
		}
	}
	if err != nil {
		return "", status.Hint(status.Errorf(status.NoInput, "%s: not in PATH, /usr/sbin or /sbin", program),
			"install e2fsprogs")
	}
	return path, nil
}

// config overrules the host's mke2fs.conf: all that matters is said in flags.
const config = "[defaults]\n\tblocksize = 4096\n[fs_types]\n\text4 = {\n\t}\n"

// errNoRoom says that the filesystem is too small for what is to go in.
var errNoRoom = errors.New("the filesystem is too small")

// imageFile is how mkfs.ext4 is told the file: by a descriptor. In a path, what
// follows a question mark would be I/O options to it.
const imageFile = "/dev/fd/4"

// format makes a filesystem in file, which has its size already, with what is
// in the directory root, if that is not "". mkfs.ext4 is started there, so that
// no path of the user's is an argument: -d takes some for archives.
func (mk *Mkfs) format(ctx context.Context, file string, o Options, inodes int64, root string) error {
	// Killed with its parent, which takes a thread that stays: the kernel
	// looks at the thread that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	conf, err := memfile(config)
	if err != nil {
		return err
	}
	defer conf.Close()
	image, err := os.OpenFile(file, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer image.Close()
	cmd := exec.CommandContext(ctx, mk.path, mk.args(o, inodes, root != "")...)
	cmd.ExtraFiles = []*os.File{conf, image}
	if root != "" {
		in, err := os.OpenFile(root, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		defer in.Close()
		cmd.Dir = fmt.Sprintf("/proc/self/fd/%d", in.Fd())
	}
	cmd.WaitDelay = time.Second
	cmd.Env = []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
		"MKE2FS_CONFIG=/dev/fd/3",
		fmt.Sprintf("E2FSPROGS_FAKE_TIME=%d", fakeTime(o.Created)),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if root != "" && o.Progress != nil {
		defer watch(file, o.Progress)()
	}
	out, err := output(ctx, cmd)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		return nil
	}
	return mkfsError(err, out)
}

// fakeTime is the clock that mkfs.ext4 sees: 0 would mean now to it.
func fakeTime(created int64) int64 { return min(max(1, created), 1<<31-1) }

// watch reports how much of a file is on disk, in bytes, until it is stopped.
func watch(file string, progress func(written int64)) (stop func()) {
	ticker, done := time.NewTicker(time.Second/5), make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				var stat unix.Stat_t
				if unix.Stat(file, &stat) == nil {
					progress(stat.Blocks * 512)
				}
			}
		}
	}()
	return func() { ticker.Stop(); close(done) }
}

// args are the same on every machine: the one format.
func (mk *Mkfs) args(o Options, inodes int64, populate bool) []string {
	names := []string{"none"}
	for _, f := range features {
		names = append(names, f.name)
	}
	if o.eaInode {
		names = append(names, "ea_inode")
	}
	extended := "no_copy_xattrs,nodiscard,lazy_itable_init=1,lazy_journal_init=1,hash_seed=" + formatUUID(o.Seed[16:32])
	args := []string{
		"-q", "-F", "-b", strconv.Itoa(blockSize), "-I", strconv.Itoa(inodeSize), "-m", "0",
		"-N", strconv.FormatInt(inodes, 10), "-O", strings.Join(names, ","),
		"-E", extended, "-U", formatUUID(o.Seed[:16]),
	}
	if populate {
		args = append(args, "-d", ".")
	}
	return append(args, imageFile)
}

// output runs mkfs.ext4 and returns what it says. The terminal's interrupt goes
// to it and to this process, and it may be the first to notice: that is no
// failure, so this process is given time to hear of it too.
func output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() < 0 {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second): // a signal to it alone
		}
	}
	return out, err
}

// mkfsError reads what mkfs.ext4 has to say.
func mkfsError(err error, out []byte) error {
	text := string(bytes.TrimSpace(out))
	switch {
	case strings.Contains(text, "No space left on device"):
		return fmt.Errorf("mkfs.ext4: %w", syscall.ENOSPC)
	case strings.Contains(text, "Disk quota exceeded"):
		return fmt.Errorf("mkfs.ext4: %w", syscall.EDQUOT)
	case strings.Contains(text, "File too large"):
		return fmt.Errorf("mkfs.ext4: %w", syscall.EFBIG)
	case strings.Contains(text, "Could not allocate"), strings.Contains(text, "No free space"):
		return errNoRoom
	case strings.Contains(text, "too small"), strings.Contains(text, "too many inodes"),
		strings.Contains(text, "too big"), strings.Contains(text, "Not enough space"):
		return fmt.Errorf("%w: mkfs.ext4: %s", errNoRoom, text)
	}
	return fmt.Errorf("mkfs.ext4: %w: %s", err, text)
}

// memfile returns a file in memory with a content.
func memfile(content string) (*os.File, error) {
	fd, err := unix.MemfdCreate("mke2fs.conf", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "mke2fs.conf")
	_, err = f.WriteString(content)
	return f, err
}
