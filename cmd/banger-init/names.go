// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// Where the names of the moment are: never on the disk.
const (
	hostsFile    = "/run/banger/hosts"
	resolverFile = "/run/banger/resolv.conf"
)

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$`)

// nameMachine gives the kernel the hostname of ip=, else another that is wished
// for, and returns it. Without either, a kernel that has none gets localhost.
func nameMachine(ip, wish string) string {
	name := wish
	if p, err := parseIP(ip); ip != "" && err == nil && p.hostname != "" {
		name = p.hostname
	}
	if name != "" && !plainName.MatchString(name) {
		say("hostname %q: not a name for a machine", name)
		name = ""
	}
	if have, _ := os.Hostname(); name == "" && (have == "(none)" || have == "") {
		unix.Sethostname([]byte("localhost"))
	}
	if name == "" {
		return ""
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		say("hostname %q: %v", name, err)
	}
	return name
}

// provideHosts makes /etc/hosts know localhost and the machine's own name, if it
// is absent or empty.
func provideHosts(root dirRoot, name string) error {
	text := "127.0.0.1 localhost\n::1 localhost\n"
	if name != "" {
		text += "127.0.1.1 " + name + "\n"
	}
	if err := root.write(hostsFile, text); err != nil {
		return err
	}
	if filled, _, err := root.filled("/etc/hosts"); filled || err != nil {
		return err
	}
	return root.link("/etc/hosts", hostsFile)
}

// setServers makes /etc/resolv.conf name these servers, as provideServers has it.
func setServers(servers []netip.Addr, search []string) {
	if len(servers) == 0 {
		return
	}
	if err := provideServers("/", servers, search); err != nil {
		say("/etc/resolv.conf: %v", cause(err))
	}
}

// provideServers names name servers to programs (resolv.conf(5)). A file with
// content is left alone. One that is absent or empty becomes a symlink to
// resolverFile. Of a symlink that leads nowhere in /run, the target is made; one
// that leads nowhere else is left alone.
func provideServers(root dirRoot, servers []netip.Addr, search []string) error {
	var text strings.Builder
	for _, s := range servers {
		fmt.Fprintf(&text, "nameserver %v\n", s)
	}
	domains := ""
	for _, domain := range search {
		if plainName.MatchString(domain) {
			domains += " " + domain
		}
	}
	if domains != "" {
		text.WriteString("search" + domains + "\n")
	}
	if err := root.write(resolverFile, text.String()); err != nil {
		return err
	}
	filled, leads, err := root.filled("/etc/resolv.conf")
	switch {
	case err != nil || filled:
		return err
	case leads == "":
		return root.link("/etc/resolv.conf", resolverFile)
	case strings.HasPrefix(leads, "/run/"):
		return root.write(leads, text.String())
	}
	return fmt.Errorf("leads to %s, which is not there", leads)
}

// filled reports whether a file has content. Of a symlink that leads nowhere,
// leads is where. What is not a regular file is taken for filled.
func (d dirRoot) filled(name string) (is bool, leads string, err error) {
	resolved, mode, err := d.Resolve(name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Readlink(d.host(name)); err != nil {
			return false, "", nil
		}
		leads, err := d.follow(name)
		return errors.Is(err, fs.ErrNotExist), leads, nil // symlinks in a circle are left alone
	}
	if err != nil || !mode.IsRegular() {
		return err == nil, "", err
	}
	info, err := os.Stat(d.host(resolved))
	return err == nil && info.Size() > 0, "", err
}

// write writes a file below /run, and the directories above it.
func (d dirRoot) write(name, text string) error {
	file := d.host(name)
	if err := os.MkdirAll(path.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// link makes a name a symlink in one step, whatever was there.
func (d dirRoot) link(name, target string) error {
	resolved, err := d.follow(path.Dir(name))
	if err != nil {
		return err
	}
	file := path.Join(d.host(resolved), path.Base(name))
	if err := os.MkdirAll(path.Dir(file), 0o755); err != nil {
		return err
	}
	os.Remove(file + ".new")
	if err := os.Symlink(target, file+".new"); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// kernelServers returns the name servers that the kernel was given by DHCP
// (nfsroot.rst), and those of ip=.
func kernelServers(pnp string, given []netip.Addr) []netip.Addr {
	text, _ := os.ReadFile(pnp)
	servers := given
	for line := range strings.Lines(string(text)) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "nameserver ")
		if a, err := address(strings.TrimSpace(name)); ok && err == nil && !a.IsUnspecified() && len(given) == 0 {
			servers = append(servers, a)
		}
	}
	return servers
}
