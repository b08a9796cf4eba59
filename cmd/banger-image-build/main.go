// SPDX-License-Identifier: Apache-2.0

// Command banger-image-build makes an image by a script that runs in a machine of
// another image.
package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"banger/lib/build"
	"banger/lib/filter"
	"banger/lib/guest"
	"banger/lib/machine"
	"banger/lib/status"
	"banger/lib/store"
	"banger/lib/xdg"
)

const help = `Usage: banger image build --from-image A --name B [-f] [--script FILE] [--docker]
                          [--size SIZE] [--memory M] [--cpus N]

Boots a copy of the published image A, runs a script in it as root, and publishes
the result as the image B. Prints the directory of B. If the script fails, nothing
is published, and its exit status is that of the command.

    $ banger image build --from-image debian-bookworm --name dev --script dev.sh
    /home/me/.local/state/banger/images/dev
`

// options are the values of the flags.
type options struct {
	from, name, script *string
	size, memory, cpus *string
	force, docker      *bool
}

func main() {
	tool := filter.New("banger-image-build", help)
	f := tool.Flags
	o := options{
		from:   f.String("from-image", "", "boot a copy of the image `A`"),
		name:   f.String("name", "", "publish the result as `B`"),
		force:  f.BoolP("force", "f", false, "replace an existing image"),
		script: f.String("script", "", "run the script `FILE` (default: the one installed with banger)"),
		docker: f.Bool("docker", false, "give the script the argument --docker"),
		size:   f.String("size", "", "make the filesystem `SIZE` large"),
		memory: f.String("memory", "512M", "give the machine `M` of memory"),
		cpus:   f.String("cpus", "1", "give the machine `N` processors"),
	}
	os.Exit(tool.Run(func(ctx context.Context, args []string) error {
		b, err := o.parse(tool, args)
		if err != nil {
			return err
		}
		image, err := b.Run(ctx)
		if err != nil {
			return err
		}
		return tool.Print(image.Dir + "\n")
	}))
}

// parse reads the flags and the script.
func (o options) parse(tool *filter.Tool, args []string) (b *build.Build, err error) {
	switch {
	case len(args) > 0:
		return nil, filter.Usagef("%s: no operand is expected", args[0])
	case *o.from == "":
		return nil, filter.Usagef("--from-image is missing")
	case *o.name == "":
		return nil, filter.Usagef("--name is missing")
	}
	for _, name := range []string{*o.from, *o.name} {
		if err := store.CheckName(name); err != nil {
			return nil, err
		}
	}
	b = &build.Build{From: *o.from, Name: *o.name, Replace: *o.force}
	if tool.Flags.Changed("size") {
		if b.Size, err = machine.ParseSize(*o.size); err != nil {
			return nil, err
		}
	}
	if b.Machine.Memory, err = machine.ParseMemory(*o.memory); err != nil {
		return nil, err
	}
	if b.Machine.CPUs, err = machine.ParseCPUs(*o.cpus); err != nil {
		return nil, err
	}
	if *o.docker {
		b.Args = []string{"--docker"}
	}
	if b.Script, err = o.readScript(tool); err != nil {
		return nil, err
	}
	return b, o.place(tool, b)
}

// readScript reads the script, or the one that make install puts beside the programs.
func (o options) readScript(tool *filter.Tool) (*build.Script, error) {
	if tool.Flags.Changed("script") {
		return build.ReadScript(*o.script)
	}
	file, err := guest.Installed("customize.sh")
	if err != nil {
		return nil, err
	}
	script, err := build.ReadScript(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = status.Hint(status.Errorf(status.NoInput, "%s: not found", file), "--script FILE")
	}
	return script, err
}

// place sets the directories and streams of a build.
func (o options) place(tool *filter.Tool, b *build.Build) error {
	state, err := xdg.State(os.Getenv)
	if err != nil {
		return err
	}
	dirs, err := xdg.Runtime(os.Getenv, os.Getuid())
	if err != nil {
		return err
	}
	temp, err := xdg.Temp(os.Getenv)
	if err != nil {
		return err
	}
	b.Store, b.Logs = store.Open(state), filepath.Join(state, "builds")
	m := &b.Machine
	m.Init, m.Temp, m.Dirs, m.Force = guest.Program, temp, machine.Dirs(dirs), filter.Second()
	m.Stdin, m.Stdout, m.Stderr = os.Stdin, tool.Stderr, tool.Stderr
	m.Show = func(machine.Command) {}
	m.Begun = func(machine.Record, bool) {}
	m.Listen = func(machine.Record) {}
	m.Ready = func(machine.Record) error { return nil }
	m.Said = func(line string) { tool.Detail(filter.Printable(line)) }
	m.Note = func(text, hint string) {
		tool.Note(text)
		if hint != "" {
			tool.Hint(hint)
		}
	}
	return nil
}
