// SPDX-License-Identifier: Apache-2.0

package test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A trace runs a program and its children under ptrace(2) and counts their
// system calls that change a file. It calls act before the one numbered at. So
// a fault strikes at a step of the work, not at a time, and varying the number
// covers the whole run, however fast the machine is.
type trace struct {
	at  int
	of  uint64 // the number of the only system call that is counted, 0 for all
	act func(pid int)
	// hold stops the thread before that call until all others are idle, so
	// that they have noticed act.
	hold bool

	changes int // counted by the end
	status  syscall.WaitStatus
	held    int       // the stopped thread, or 0
	since   time.Time // when it was stopped
}

// run starts cmd in a process group of its own and returns when it and all its
// children have ended. It kills them after a minute. The command's files must
// be *os.File or nil.
func (tr *trace) run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	failed := make(chan error)
	go func() {
		// Only the tracing thread may use ptrace(2). It ends with the
		// goroutine.
		runtime.LockOSThread()
		failed <- tr.follow(cmd)
	}()
	if err := <-failed; err != nil {
		t.Fatalf("ptrace %v: %v", cmd.Args, err)
	}
}

func (tr *trace) follow(cmd *exec.Cmd) error {
	group(cmd)
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		return err
	}
	leader := cmd.Process.Pid
	defer cmd.Process.Release()
	timer := time.AfterFunc(time.Minute, func() { syscall.Kill(-leader, syscall.SIGKILL) })
	defer timer.Stop()
	var status unix.WaitStatus
	if _, err := unix.Wait4(leader, &status, unix.WALL, nil); err != nil {
		return err
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK |
		unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(leader, options); err != nil {
		return err
	}
	unix.PtraceSyscall(leader, 0)
	for {
		pid, err := tr.wait(leader, &status)
		switch {
		case errors.Is(err, unix.ECHILD):
			return nil
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case status.Stopped():
			signal := tr.stopped(leader, pid, status)
			if pid != tr.held {
				// An error means that the process was killed while stopped.
				unix.PtraceSyscall(pid, signal)
			}
		case pid == leader:
			tr.status = syscall.WaitStatus(status)
		}
	}
}

// wait returns the next thread of the process group that stops or ends; the
// tracing thread may have other children, which others wait for. It resumes
// the held thread when nothing else happens, apart from Go's runtime
// preempting it again and again.
func (tr *trace) wait(leader int, status *unix.WaitStatus) (pid int, err error) {
	const quiet, limit = 20 * time.Millisecond, time.Second
	start := time.Now()
	for tr.held != 0 {
		if time.Since(start) > quiet || time.Since(tr.since) > limit {
			unix.PtraceSyscall(tr.held, 0)
			tr.held = 0
			break
		}
		pid, err := unix.Wait4(-leader, status, unix.WALL|unix.WNOTHREAD|unix.WNOHANG, nil)
		if pid != 0 || err != nil {
			return pid, err
		}
		time.Sleep(time.Millisecond)
	}
	return unix.Wait4(-leader, status, unix.WALL|unix.WNOTHREAD, nil)
}

// stopped handles a stopped thread and returns the signal to resume it with.
func (tr *trace) stopped(leader, pid int, status unix.WaitStatus) int {
	switch signal := status.StopSignal(); {
	case signal == unix.SIGTRAP|0x80:
		if tr.counts(pid) {
			if tr.changes++; tr.changes == tr.at {
				tr.act(leader)
				if tr.hold {
					tr.held, tr.since = pid, time.Now()
				}
			}
		}
		return 0
	case signal == unix.SIGTRAP || signal == unix.SIGSTOP:
		return 0 // ptrace's own
	default:
		return int(signal)
	}
}

// changing are the system calls that change a file or flush one to disk.
var changing = map[uint64]bool{
	unix.SYS_WRITE: true, unix.SYS_PWRITE64: true, unix.SYS_WRITEV: true, unix.SYS_PWRITEV: true, unix.SYS_COPY_FILE_RANGE: true,
	unix.SYS_FTRUNCATE: true, unix.SYS_FALLOCATE: true, unix.SYS_IOCTL: true, unix.SYS_SENDFILE: true,
	unix.SYS_MKDIRAT: true, unix.SYS_LINKAT: true, unix.SYS_SYMLINKAT: true, unix.SYS_UNLINKAT: true,
	unix.SYS_RENAMEAT: true, unix.SYS_RENAMEAT2: true, unix.SYS_FCHMOD: true, unix.SYS_FCHMODAT: true,
	unix.SYS_FSYNC: true, unix.SYS_FDATASYNC: true, unix.SYS_SYNCFS: true, unix.SYS_FLOCK: true,
}

// counts reports whether a stopped thread is entering one, or creating a file.
func (tr *trace) counts(pid int) bool {
	var info struct { // struct ptrace_syscall_info
		op   uint8
		_    [3]uint8
		arch uint32
		_    [2]uint64
		nr   uint64
		args [6]uint64
		_    [2]uint64
	}
	const getSyscallInfo, entry = 0x420e, 1
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, getSyscallInfo, uintptr(pid),
		unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 || info.op != entry {
		return false
	}
	if tr.of != 0 {
		return info.nr == tr.of
	}
	return changing[info.nr] || info.nr == unix.SYS_OPENAT && info.args[2]&uint64(os.O_CREATE) != 0
}
