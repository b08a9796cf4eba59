// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"path"
	"slices"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"banger/lib/guest"
	"banger/lib/kernel"
	"banger/lib/tree"
)

// checkRun reports what the guest runs, by the rule that banger-init goes by, and
// what may keep it from running.
func (c *checker) checkRun() error {
	if c.state(kernel.Ramdisk) == kernel.Absent {
		return c.checkKernelInit()
	}
	image, err := c.Config()
	if err != nil {
		return err
	}
	plan, err := guest.Decide(c.root, image.Config, "", nil, "")
	if err != nil {
		return err
	}
	c.report(Runs, "init", "", "%s", guest.Describe(c.root, plan))
	for _, broken := range plan.Broken {
		c.report(Warning, "init", "complete that init in the image if it is to run", "not a working init: %s", broken)
	}
	switch {
	case plan.Rule == guest.Idle:
		c.report(Warning, "init", c.remedy("banger boot "+c.Name+" -- PROGRAM"), "the image has nothing to run: the machine idles until it is stopped")
		return nil
	case plan.IsInit():
		init, _, err := c.find(plan.Args[0], "/", image.Config.Env)
		if err != nil || init == "" {
			return err
		}
		return c.checkInit(init)
	}
	return c.checkCommand(plan, image.Config)
}

// kernelInit returns what a kernel starts that does not run banger-init, "" if the
// image has nothing for it.
func (c *checker) kernelInit() (string, error) {
	return c.first(append(slices.Clip(guest.InitPaths), "/bin/sh")...)
}

// checkKernelInit reports what the kernel starts without an initial ramdisk. That
// it may start nothing is a finding of checkRamdisk.
func (c *checker) checkKernelInit() error {
	starts, err := c.kernelInit()
	if err != nil || starts == "" {
		return err
	}
	c.report(Runs, "init", "", "%s: started by the kernel, which supports no initial ramdisk", guest.Quote(starts))
	return c.checkInit(starts)
}

// checkInit checks a program that becomes process 1.
func (c *checker) checkInit(init string) error {
	found := len(c.findings)
	if err := c.checkProgram(init, Error, ""); err != nil || len(c.findings) > found {
		return err
	}
	for _, check := range []func(string) error{c.checkShell, c.checkLogin, c.checkLabels} {
		if err := check(init); err != nil {
			return err
		}
	}
	return nil
}

// checkShell checks the shell beside an init, because most inits run scripts.
func (c *checker) checkShell(init string) error {
	sh, err := c.first("/bin/sh")
	if err != nil || sh == "" || sh == init {
		return err
	}
	return c.checkProgram(sh, Error, "")
}

// checkCommand checks what a command needs to be started, as banger-init meets it:
// its user, its directory, its program.
func (c *checker) checkCommand(plan guest.Plan, config v1.ImageConfig) error {
	if _, err := guest.Identify(c.root, plan.User); err != nil {
		c.report(Warning, "init", c.remedy(fmt.Sprintf("banger boot --user %s %s", "root", c.Name)), "%v: the command ends with status 125", err)
	}
	if err := c.checkDir(path.Join("/", config.WorkingDir)); err != nil {
		return err
	}
	program, status, err := c.find(plan.Args[0], config.WorkingDir, config.Env)
	switch {
	case err != nil:
		return err
	case program != "" && plan.Rule == guest.Shell:
		return c.checkProgram(program, Error, "")
	case program != "":
		return c.checkProgram(program, Warning, ": the command ends with status 126")
	}
	problem := "not found in the image"
	if status == notExecutable {
		problem = "cannot be executed"
	}
	c.report(Warning, "init", c.remedy("banger boot "+c.Name+" -- PROGRAM"), "%s: %s: the command ends with status %d", guest.Quote(plan.Args[0]), problem, status)
	return nil
}

// The statuses with which a command ends that cannot be run (banger-init(8)).
const (
	notExecutable = 126
	notFound      = 127
)

// find returns the path of a command that is looked for as banger-init does, "" and
// a status if it is not found.
func (c *checker) find(command, dir string, env []string) (program string, status int, err error) {
	status = notFound
	for candidate := range guest.Candidates(command, dir, guest.SearchPath(env)) {
		_, mode, err := c.root.Resolve(candidate)
		switch {
		case missing(err):
		case err != nil:
			return "", 0, err
		case mode.IsDir() || mode&0o111 == 0:
			status = notExecutable
		default:
			return candidate, 0, nil
		}
	}
	return "", status, nil
}

// checkDir checks that a working directory is there, or can be made: that nothing
// else is in its path.
func (c *checker) checkDir(dir string) error {
	if len(dir) > tree.MaxTarget {
		c.reportDir("%d bytes are too long for a path", len(dir))
		return nil
	}
	for at := dir; ; at = path.Dir(at) {
		_, mode, err := c.root.Resolve(at)
		if err == nil && mode.IsDir() || err != nil && !missing(err) {
			return err
		}
		if err == nil {
			c.reportDir("%s is not a directory", guest.Quote(at))
			return nil
		}
		beside, err := c.names(path.Dir(at))
		if err != nil {
			return err
		}
		if slices.Contains(beside, path.Base(at)) {
			c.reportDir("%s is a symlink to nothing", guest.Quote(at))
			return nil
		}
	}
}

func (c *checker) reportDir(format string, args ...any) {
	c.report(Warning, "init", "correct WorkingDir in the image's config",
		"working directory: "+format+": the command ends with status 125", args...)
}
