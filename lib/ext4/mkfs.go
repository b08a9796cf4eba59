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

// Mkfs is the program mkfs.ext4 of e2fsprogs.
type Mkfs struct {
	path    string
	Version string // for example 1.47.0
}

// systemDirs are searched after PATH, which lacks them for ordinary users.
var systemDirs = []string{"/usr/sbin", "/sbin"}

var versionLine = regexp.MustCompile(`mke2fs (1\.(\d+)\S*)`)

// FindMkfs returns mkfs.ext4 from PATH, /usr/sbin or /sbin. It must be version
// 1.45 or later.
func FindMkfs(ctx context.Context) (*Mkfs, error) {
	path, err := findProgram("mkfs.ext4")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "-V")
	cmd.WaitDelay = time.Second // it may be a wrapper with child processes
	out, _ := output(ctx, cmd)  // the output shows whether it works
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	match := versionLine.FindSubmatch(out)
	if match == nil {
		return nil, status.Hint(fmt.Errorf("%s -V: not e2fsprogs: %q", path, out), "install e2fsprogs")
	}
	m := &Mkfs{path: path, Version: string(match[1])}
	if minor, _ := strconv.Atoi(string(match[2])); minor < 45 {
		return nil, status.Hint(status.Errorf(status.Failed, "%s: e2fsprogs %s is too old", path, m.Version),
			"install e2fsprogs 1.45 or later")
	}
	return m, nil
}

// findProgram returns the path of a program of e2fsprogs.
func findProgram(program string) (string, error) {
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

// config replaces the host's mke2fs.conf. All settings are passed as flags.
const config = "[defaults]\n\tblocksize = 4096\n[fs_types]\n\text4 = {\n\t}\n"

// errNoRoom means that the filesystem is too small for its content.
var errNoRoom = errors.New("filesystem too small")

// imageFile names the image by a file descriptor, because mkfs.ext4 parses the
// part of a path after a question mark as I/O options.
const imageFile = "/dev/fd/4"

// format makes a filesystem that fills file, from the directory root unless that
// is "". It runs mkfs.ext4 in root, because -d would take some paths for archives.
func (mk *Mkfs) format(ctx context.Context, file string, o Options, inodes int64, root string) error {
	// Pdeathsig refers to the thread that forks, which must not end early.
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

// fakeTime returns the time for E2FSPROGS_FAKE_TIME, which takes 0 for now.
func fakeTime(created int64) int64 { return min(max(1, created), 1<<31-1) }

// watch calls progress with the disk usage of a file in bytes, until stop.
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

// args returns the arguments of mkfs.ext4, which do not depend on the host.
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

// output runs a program and returns its output. A terminal sends an interrupt to
// the program and to this process; if the program dies of it first, output waits
// until ctx is done, so that it is not taken for a failure.
func output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() < 0 {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second): // the signal was for the program alone
		}
	}
	return out, err
}

// mkfsError derives an error from the output of mkfs.ext4.
func mkfsError(err error, out []byte) error {
	text := string(bytes.TrimSpace(out))
	switch full := fullDisk(text); {
	case full != nil:
		return fmt.Errorf("mkfs.ext4: %w", full)
	case strings.Contains(text, "Could not allocate"), strings.Contains(text, "No free space"):
		return errNoRoom
	case strings.Contains(text, "too small"), strings.Contains(text, "too many inodes"),
		strings.Contains(text, "too big"), strings.Contains(text, "Not enough space"):
		return fmt.Errorf("%w: mkfs.ext4: %s", errNoRoom, text)
	}
	return fmt.Errorf("mkfs.ext4: %w: %s", err, text)
}

// fullDisk returns the error of a full disk of the host that the output of a program
// of e2fsprogs contains, else nil.
func fullDisk(text string) error {
	switch {
	case strings.Contains(text, "No space left on device"):
		return syscall.ENOSPC
	case strings.Contains(text, "Disk quota exceeded"):
		return syscall.EDQUOT
	case strings.Contains(text, "File too large"):
		return syscall.EFBIG
	}
	return nil
}

// memfile returns an in-memory file with the given content.
func memfile(content string) (*os.File, error) {
	fd, err := unix.MemfdCreate("mke2fs.conf", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "mke2fs.conf")
	_, err = f.WriteString(content)
	return f, err
}
