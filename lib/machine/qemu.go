// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"banger/lib/guest"
)

// machineType is QEMU's smallest machine, without the option ROMs that it would
// load from files of its own (docs/system/i386/microvm.rst).
const machineType = "microvm,x-option-roms=off"

// qemuCommand returns the command that runs the machine, in its directory.
func (b *Boot) qemuCommand(p processor) Command {
	args := []string{qemu, "-M", machineType}
	args = append(args, p.args...)
	args = append(args, "-smp", strconv.Itoa(b.CPUs), "-m", fmt.Sprintf("%dM", b.Memory),
		"-no-user-config", "-nodefaults", "-no-reboot", "-display", "none")
	args = append(args, b.consoleArgs()...)
	args = append(args,
		"-chardev", "file,id=status,path="+statusFile, "-device", "isa-serial,index=1,chardev=status",
		"-chardev", "socket,id=qmp,path="+monitorFile+",server=on,wait=off", "-mon", "chardev=qmp,mode=control",
		"-device", "pvpanic", "-device", "i8042") // a keyboard, for Ctrl-Alt-Del
	args = append(args, "-kernel", b.kernel, "-initrd", b.initrd, "-append", b.kernelLine(p))
	// A host's disk that is full is the guest's error: QEMU would stop, and wait.
	drive := "id=root,if=none,format=raw,werror=report,rerror=report"
	if b.Build != nil {
		drive += driveOptions
	}
	args = append(args, "-drive", drive+",file="+b.disk,
		"-device", "virtio-blk-device,drive=root")
	args = append(args, b.modulesArgs()...)
	args = append(args, b.networkArgs()...)
	if b.Guest.Ports {
		args = append(args, portArgs()...)
	}
	return Command{Args: args, Dir: b.dir.Path}
}

// consoleArgs make the first serial port the standard streams, which are this
// program's or given by it.
func (b *Boot) consoleArgs() []string {
	args := []string{"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"}
	if b.typed() {
		args[1] += ",mux=on"
		args = append(args, "-mon", "chardev=console") // Ctrl-A X
	}
	return args
}

// networkArgs give the machine QEMU's user network, in which the guest reaches
// nothing unless Spec.Network, and the host the guest's SSH server and the ports
// published.
func (b *Boot) networkArgs() []string {
	net := "user,id=net"
	if !b.Network {
		net += ",restrict=on"
	}
	net += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:0-:%d", guest.SSHPort)
	for _, f := range b.Publish {
		net += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:%d", f.Host, f.Guest)
	}
	return []string{"-netdev", net, "-device", "virtio-net-device,netdev=net"}
}

// ports are the streams of a command, by the names of their virtio-serial ports
// and the sockets in the machine's directory.
var ports = []struct{ name, socket string }{
	{guest.StdinPort, "stdin"}, {guest.StdoutPort, "stdout"}, {guest.StderrPort, "stderr"},
}

// portArgs give the machine virtio-serial ports. QEMU waits until all sockets
// are connected, so that the guest misses nothing.
func portArgs() []string {
	args := []string{"-device", "virtio-serial-device"}
	for _, p := range ports {
		args = append(args, "-chardev", fmt.Sprintf("socket,id=%s,path=%s,server=on,wait=on", p.socket, p.socket),
			"-device", fmt.Sprintf("virtserialport,chardev=%s,name=%s", p.socket, p.name))
	}
	return args
}

// systemdParameters keep systemd from asking questions at the first boot of an
// image, and from other names for network devices. Others ignore them.
const systemdParameters = "systemd.condition_first_boot=0 systemd.firstboot=off net.ifnames=0"

// sshParameter makes the agent listen on the address that address gives the guest.
var sshParameter = fmt.Sprintf("%s=%s:%d", guest.SSHParameter, guestAddress, guest.SSHPort)

// kernelLine returns the kernel's command line. At log level 3 the kernel does
// not call an error that a microvm has no PCI bus.
func (b *Boot) kernelLine(p processor) string {
	words := []string{"console=ttyS0 reboot=t panic=-1 quiet"}
	if len(b.Guest.Args) == 0 {
		words = append(words, "loglevel=3")
	} else { // the output is the command's
		words = append(words, "loglevel=1")
		if !b.typed() {
			words = append(words, "banger.raw")
		}
	}
	if p.clock != "" {
		words = append(words, p.clock)
	}
	words = append(words, "root=/dev/vda rw", address(guest.Hostname(b.dir.Name)), sshParameter, systemdParameters)
	return strings.Join(words, " ")
}

// typed reports whether a person types at the console.
func (b *Boot) typed() bool { return b.terminal && b.readsConsole() }

// readsConsole reports whether standard input is the console's: that of a
// command is /dev/null, unless it is to be interactive.
func (b *Boot) readsConsole() bool {
	return !b.Detached && !b.Guest.Ports && (len(b.Guest.Args) == 0 || b.Interactive)
}

// rootfs returns the image's root filesystem, which is only ever copied.
func (b *Boot) rootfs() string { return filepath.Join(b.Image.Dir, "rootfs.ext4") }
