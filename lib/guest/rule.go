// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"io/fs"
	"path"
	"slices"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A Root is the root filesystem of a guest, read by the host from the image or
// by banger-init from the disk.
type Root interface {
	// Resolve follows symlinks, and returns the path and the mode of what they
	// lead to. The error is fs.ErrNotExist if they lead nowhere.
	Resolve(path string) (resolved string, mode fs.FileMode, err error)
	// ReadFile returns at most limit bytes of a regular file.
	ReadFile(path string, limit int64) ([]byte, error)
}

// A Rule is the reason for which a guest runs what it runs.
type Rule string

// The rules, in the order in which they are tried.
const (
	InitParameter Rule = "init= on the kernel's command line"
	UserCommand   Rule = "the command given"
	InitCommand   Rule = "the image's command, an init"
	ImageInit     Rule = "the image's init"
	ImageCommand  Rule = "the image's command"
	Shell         Rule = "no init and no command: a shell"
	Idle          Rule = "no init, no command and no shell: idle"
)

// A Plan is what a guest runs.
type Plan struct {
	Rule Rule
	Args []string // the program, as it was written, and its arguments; none if Idle
	User string   // as OCI configs write it, "" for root; not for an init

	// Broken says why inits of the image are not run, each with its path.
	Broken []string
}

// IsInit reports whether the program takes the place of process 1. Others are
// supervised by banger-init.
func (p Plan) IsInit() bool {
	return p.Rule == InitParameter || p.Rule == InitCommand || p.Rule == ImageInit
}

// OwnPIDs reports whether the program has to be process 1 of a PID namespace.
// The /init of s6-overlay does, and it exits when its command does.
func (p Plan) OwnPIDs() bool {
	return p.Rule == ImageCommand && path.Clean(p.Args[0]) == "/init"
}

// Decide returns what a guest with this root filesystem and OCI config runs.
// init is the kernel parameter of that name, "" for none; command replaces the
// image's Entrypoint and Cmd, and user its User, if they are not empty.
func Decide(root Root, config v1.ImageConfig, init string, command []string, user string) (Plan, error) {
	if init != "" {
		return Plan{Rule: InitParameter, Args: []string{init}}, nil
	}
	if len(command) > 0 {
		return Plan{Rule: UserCommand, Args: command, User: user}, nil
	}
	if user == "" {
		user = config.User
	}
	own := slices.Concat(config.Entrypoint, config.Cmd)
	p := Plan{User: user, Args: own, Rule: ImageCommand}
	if len(own) > 0 {
		program, err := lookIn(root, own[0], config.Env)
		if err != nil {
			return Plan{}, err
		}
		problem, ok, err := checkInit(root, program)
		switch {
		case err != nil:
			return Plan{}, err
		case ok && problem == "":
			return Plan{Rule: InitCommand, Args: own}, nil
		case ok:
			p.Broken = []string{program + ": " + problem}
		}
	}
	if len(own) == 0 || isBareShell(own) {
		init, broken, err := findInit(root)
		if init != "" || err != nil {
			return Plan{Rule: ImageInit, Args: []string{init}, Broken: broken}, err
		}
		p.Broken = broken
	}
	if len(own) > 0 {
		return p, nil
	}
	if there, err := isProgram(root, "/bin/sh"); there || err != nil {
		p.Rule, p.Args = Shell, []string{"/bin/sh", "-i"}
		return p, err
	}
	p.Rule = Idle
	return p, nil
}

// isBareShell reports whether a command does nothing but to start a shell for
// a person.
func isBareShell(command []string) bool {
	for _, arg := range command[1:] {
		if arg != "-i" && arg != "-l" {
			return false
		}
	}
	return slices.Contains([]string{"sh", "bash", "ash", "dash", "zsh"}, path.Base(command[0]))
}
