// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"strings"
)

// An ipParameter is what the kernel parameter ip= asks for.
type ipParameter struct {
	address  netip.Prefix // of the device; invalid if it is to be asked for
	gateway  netip.Addr   // invalid for none
	hostname string
	device   string // "" for the first there is
	dhcp     bool
	dns      []netip.Addr
}

// parseIP parses the value of ip=, as the kernel does without CONFIG_IP_PNP's
// BOOTP and RARP (Documentation/admin-guide/nfs/nfsroot.rst):
//
//	CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1:NTP0
//
// or AUTOCONF alone. A client address turns automatic configuration off.
func parseIP(value string) (p ipParameter, err error) {
	fields := strings.Split(value, ":")
	if len(fields) == 1 && !isAddress(value) {
		p.dhcp, err = automatic(value, "off")
		return p, err
	}
	if len(fields) > 10 {
		return p, fmt.Errorf("more than 10 fields")
	}
	fields = append(fields, make([]string, 10-len(fields))...)
	p.hostname, _, _ = strings.Cut(fields[4], ".") // the rest is the domain
	p.device = fields[5]
	if p.dhcp, err = automatic(fields[6], "any"); err != nil {
		return p, err
	}
	if fields[0] != "" {
		p.dhcp = false
		if p.address, err = prefix(fields[0], fields[3]); err != nil {
			return p, err
		}
	}
	if fields[2] != "" {
		if p.gateway, err = address(fields[2]); err != nil {
			return p, err
		}
	}
	for _, field := range fields[7:9] {
		if field == "" {
			continue
		}
		server, err := address(field)
		if err != nil {
			return p, err
		}
		p.dns = append(p.dns, server)
	}
	return p, nil
}

// automatic reports whether a word for automatic configuration asks for DHCP.
func automatic(word, empty string) (dhcp bool, err error) {
	if word == "" {
		word = empty
	}
	word, _, _ = strings.Cut(word, ",") // a client identifier
	switch word {
	case "off", "none":
		return false, nil
	case "dhcp", "on", "any", "both":
		return true, nil
	}
	return false, fmt.Errorf("%q: neither dhcp nor off", word)
}

func isAddress(text string) bool {
	_, err := address(text)
	return err == nil
}

func address(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() {
		return netip.Addr{}, fmt.Errorf("%q: not an IPv4 address", text)
	}
	return a, nil
}

// prefix returns an address with the length of its netmask, that of its class if
// none is given.
func prefix(text, mask string) (netip.Prefix, error) {
	a, err := address(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	if mask == "" {
		return netip.PrefixFrom(a, classBits(a)), nil
	}
	m, err := address(mask)
	if err != nil {
		return netip.Prefix{}, err
	}
	bits := 0
	for b := m.As4(); bits < 32 && b[bits/8]&(0x80>>(bits%8)) != 0; {
		bits++
	}
	if all := netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), bits).Masked(); all.Addr() != m {
		return netip.Prefix{}, fmt.Errorf("%q: not a netmask", mask)
	}
	return netip.PrefixFrom(a, bits), nil
}

// classBits is the length of the network part of an address by its class.
func classBits(a netip.Addr) int {
	switch first := a.As4()[0]; {
	case first < 128:
		return 8
	case first < 192:
		return 16
	}
	return 24
}
