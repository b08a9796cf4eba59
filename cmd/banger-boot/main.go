// SPDX-License-Identifier: Apache-2.0

// Command banger-boot boots a published image in QEMU.
package main

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"banger/lib/filter"
	"banger/lib/machine"
)

const help = `Usage: banger-boot [--keep FILE] [-d | -i] [--network] [--publish HOST:GUEST] NAME [-- CMD...]

Boots a published image on a copy of its root filesystem, the serial console
attached. With CMD, runs that in place of what the image runs, and exits with
its status. Ctrl-A X ends the machine.

    $ banger boot debian-bookworm
    $ banger boot debian-bookworm -- cat /etc/os-release
`

// options are the values of the flags.
type options struct {
	memory, cpus, size    *string
	accel, keep, print    *string
	name, user, kernelRef *string
	env, publish          *[]string
	interactive, network  *bool
	detach                *bool
	verbose, quiet        *bool
}

func addFlags(tool *filter.Tool) options {
	f := tool.Flags
	return options{
		memory:      f.String("memory", "512M", "give it `M` of memory"),
		cpus:        f.String("cpus", "1", "give it `N` processors"),
		accel:       f.String("accel", "", "run it by `kvm|tcg`, the latter emulates (default: KVM where it works)"),
		keep:        f.String("keep", "", "boot the disk `FILE`; made of the image if it is not there"),
		size:        f.String("size", "", "make FILE, and the filesystem in it, `SIZE` large"),
		user:        f.String("user", "", "run as `USER[:GROUP]`"),
		env:         f.StringArray("env", nil, "set `NAME=VALUE` in the command's environment"),
		interactive: f.BoolP("interactive", "i", false, "pass standard input to CMD, and its streams apart"),
		detach:      f.BoolP("detach", "d", false, "return once it has started, and print its name"),
		name:        f.String("name", "", "call the machine `M` (default: as the image)"),
		network:     f.Bool("network", false, "let the guest reach the network"),
		publish:     f.StringArray("publish", nil, "forward the port `HOST:GUEST` of 127.0.0.1 to the guest"),
		kernelRef:   f.String("kernel-ref", "", "boot the kernel `NAME` in place of the image's"),
		print:       f.String("print", "", "do not boot: print `commands|firecracker`, a script or a configuration that boots it"),
		verbose:     f.BoolP("verbose", "v", false, "print each command before it is run"),
		quiet:       f.BoolP("quiet", "q", false, "print nothing that is no error"),
	}
}

func main() {
	tool := filter.New("banger-boot", help)
	o := addFlags(tool)
	os.Exit(tool.Run(func(ctx context.Context, args []string) error {
		image, spec, err := o.parse(tool, args)
		if err != nil {
			return err
		}
		if *o.detach && !isDetached() {
			return detach(ctx, tool)
		}
		if isDetached() {
			unix.CloseOnExec(readyDescriptor) // QEMU is not to have it
		}
		return boot(ctx, tool, o, image, spec)
	}))
}

// parse reads the operands and the values of flags.
func (o options) parse(tool *filter.Tool, args []string) (image string, s machine.Spec, err error) {
	operands, dash := args, tool.Flags.ArgsLenAtDash()
	if dash >= 0 {
		operands, s.Guest.Args = args[:dash], args[dash:]
	}
	switch {
	case len(operands) == 0:
		return "", s, filter.Usagef("no image")
	case len(operands) > 1:
		return "", s, filter.Usagef("more than one image; a command follows --")
	case dash >= 0 && len(s.Guest.Args) == 0:
		return "", s, filter.Usagef("no command after --")
	}
	if err := o.empty(tool); err != nil {
		return "", s, err
	}
	s.Name, s.Accel, s.Keep, s.Network = *o.name, *o.accel, *o.keep, *o.network
	s.Interactive, s.Detached = *o.interactive, *o.detach
	s.Guest.User, s.Guest.Env = *o.user, *o.env
	if s.Memory, err = machine.ParseMemory(*o.memory); err != nil {
		return "", s, err
	}
	if s.CPUs, err = machine.ParseCPUs(*o.cpus); err != nil {
		return "", s, err
	}
	if *o.size != "" {
		if s.Size, err = machine.ParseSize(*o.size); err != nil {
			return "", s, err
		}
	}
	for _, text := range *o.publish {
		f, err := machine.ParseForward(text)
		if err != nil {
			return "", s, err
		}
		s.Publish = append(s.Publish, f)
	}
	if err := o.checkPrint(); err != nil {
		return "", s, err
	}
	return operands[0], s, s.Check()
}

// empty refuses flags whose value is empty.
func (o options) empty(tool *filter.Tool) error {
	for name, value := range map[string]*string{
		"memory": o.memory, "cpus": o.cpus, "accel": o.accel, "keep": o.keep, "size": o.size, "print": o.print,
		"name": o.name, "user": o.user, "kernel-ref": o.kernelRef,
	} {
		if tool.Flags.Changed(name) && *value == "" {
			return filter.Usagef("--%s needs a value", name)
		}
	}
	return nil
}

// checkPrint refuses what does not go with --print.
func (o options) checkPrint() error {
	switch {
	case *o.print == "":
		return nil
	case *o.print == "commands" && *o.detach:
		return filter.Usagef("--print and -d exclude each other")
	case *o.print == "commands":
		return nil
	case *o.print != "firecracker":
		return filter.Usagef("--print %s: not commands or firecracker", *o.print)
	case *o.accel != "":
		return filter.Usagef("--accel and --print firecracker exclude each other")
	case *o.detach || *o.interactive || *o.network || len(*o.publish) > 0 || *o.name != "":
		return filter.Usagef("--print firecracker excludes -d, -i, --name, --network and --publish")
	case *o.keep == "":
		return filter.Usagef("--print firecracker needs --keep")
	}
	return nil
}

// code returns an error for the exit status of a machine.
func code(status int, err error) error {
	if err != nil {
		return err
	}
	return filter.Exit(status)
}
