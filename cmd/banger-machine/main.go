// SPDX-License-Identifier: Apache-2.0

// Command banger-machine looks after the machines that banger-boot runs.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/docker/go-units"

	"banger/lib/filter"
	"banger/lib/machine"
	"banger/lib/xdg"
)

const help = `Usage: banger-machine list [--json]
       banger-machine stop NAME...

Lists the machines that run, or has them end, in order.

    $ banger-machine list
    NAME  IMAGE  STATE  AGE         PORTS    STATUS
    web   nginx  ready  2 minutes   8080:80  the image's command
    $ banger-machine stop web
`

func main() {
	tool := filter.New("banger-machine", help)
	asJSON := tool.Flags.Bool("json", false, "print one JSON object a line")
	os.Exit(tool.Run(func(ctx context.Context, args []string) error {
		dir, err := xdg.Runtime(os.Getenv, os.Getuid())
		if err != nil {
			return err
		}
		dirs := machine.Dirs(dir)
		switch {
		case len(args) == 1 && args[0] == "list":
			return list(tool, dirs, *asJSON)
		case len(args) > 1 && args[0] == "stop" && !*asJSON:
			for _, name := range args[1:] {
				if err := dirs.Stop(ctx, name); err != nil {
					return err
				}
			}
			return nil
		}
		return filter.Usagef("no command: list or stop")
	}))
}

// list prints a line a machine.
func list(tool *filter.Tool, dirs machine.Dirs, asJSON bool) error {
	all, err := dirs.List()
	if err != nil {
		return err
	}
	rows := [][]string{{"NAME", "IMAGE", "STATE", "AGE", "PORTS", "STATUS"}}
	for _, m := range all {
		if asJSON {
			if err := tool.PrintJSON(m); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{m.Name, or(m.Image), state(m), age(m), or(portList(m)), or(m.Status)})
	}
	if asJSON {
		return nil
	}
	return tool.PrintTable(rows)
}

func state(m machine.Record) string {
	if m.Ready {
		return "ready"
	}
	return "booting"
}

func age(m machine.Record) string {
	if m.Since.IsZero() {
		return "-"
	}
	return units.HumanDuration(time.Since(m.Since))
}

// portList lists ports as --publish takes them.
func portList(m machine.Record) string {
	var all []string
	for _, f := range m.Ports {
		all = append(all, fmt.Sprintf("%d:%d", f.Host, f.Guest))
	}
	return strings.Join(all, " ")
}

func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
