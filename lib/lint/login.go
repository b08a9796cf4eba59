// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"path"
	"slices"
	"strings"

	"banger/lib/kernel"
)

// checkLogin checks the login that an init offers on the serial console: that it
// comes up, and that somebody can log in.
func (c *checker) checkLogin(init string) error {
	resolved, _, err := c.root.Resolve(init)
	if err != nil {
		return err
	}
	if path.Base(resolved) != "systemd" {
		if asks, err := c.inittabAsks(); !asks || err != nil {
			return err
		}
		return c.checkPasswords()
	}
	if asks, err := c.systemdAsks(); !asks || err != nil {
		return err
	}
	udev, err := c.first("/usr/lib/systemd/systemd-udevd", "/lib/systemd/systemd-udevd")
	switch {
	case err != nil:
		return err
	case udev == "":
		c.report(Warning, "init", c.orCommand("install udev in the image"),
			"systemd without udev: it waits 90 s for dev-ttyS0.device and offers no login on the serial console")
		return nil
	}
	return c.checkPasswords()
}

// systemdAsks reports whether systemd's own unit for a serial console asks for a
// login. An image that has settings of its own for the unit may log a user in
// without a password, or nobody at all.
func (c *checker) systemdAsks() (bool, error) {
	unit, err := c.first("/usr/lib/systemd/system/serial-getty@.service", "/lib/systemd/system/serial-getty@.service")
	if unit == "" || err != nil {
		return false, err
	}
	own, err := c.names("/etc/systemd/system")
	return !slices.ContainsFunc(own, func(name string) bool { return strings.HasPrefix(name, "serial-getty@") }), err
}

// inittabAsks reports whether an init that goes by /etc/inittab asks for a login on
// the serial console.
func (c *checker) inittabAsks() (bool, error) {
	table, err := c.text("/etc/inittab")
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "#") && strings.Contains(line, "getty") &&
			(strings.Contains(line, "ttyS0") || strings.Contains(line, "console")) {
			return true, err
		}
	}
	return false, err
}

// checkPasswords checks that a user has a password, or needs none.
func (c *checker) checkPasswords() error {
	problem, err := c.lockedOut()
	if err == nil && problem != "" {
		c.report(Warning, "init", c.orCommand("give root a password in the image"), "nobody can log in on the serial console: %s", problem)
	}
	return err
}

// orCommand returns an action, or that a command can be run instead of the init, if
// the kernel runs banger-init.
func (c *checker) orCommand(action string) string {
	if c.state(kernel.Ramdisk) == kernel.Absent {
		return action
	}
	return action + ", or run a command: banger boot " + c.Name + " -- CMD"
}

// lockedOut returns why nobody can log in with a password, "" if a user can, or
// needs none (passwd(5), shadow(5)).
func (c *checker) lockedOut() (string, error) {
	passwd, err := c.text("/etc/passwd")
	if err != nil {
		return "", err
	}
	shadow, err := c.text("/etc/shadow")
	if err != nil {
		return "", err
	}
	users, shadowed := passwords(passwd), passwords(shadow)
	for user, password := range users {
		if hash, ok := shadowed[user]; password == "x" && ok {
			password = hash
		}
		if !locked(password) {
			return "", nil
		}
	}
	password, inPasswd := users["root"]
	_, inShadow := shadowed["root"]
	switch {
	case !inPasswd:
		return "/etc/passwd has no root", nil
	case password != "x":
		return "root is locked in /etc/passwd", nil
	case !inShadow:
		return "/etc/shadow has no root", nil
	}
	return "root is locked in /etc/shadow", nil
}

// passwords returns the second fields of a file of accounts by the first ones.
func passwords(accounts string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(accounts) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if _, again := all[name]; ok && !again {
			all[name], _, _ = strings.Cut(rest, ":")
		}
	}
	return all
}

// locked reports whether no password fits.
func locked(hash string) bool {
	return hash == "x" || strings.HasPrefix(hash, "!") || strings.HasPrefix(hash, "*")
}
