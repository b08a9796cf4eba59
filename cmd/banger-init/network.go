// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// deviceTime is how long a network device may take to be found.
const deviceTime = 10 * time.Second

// keepNetwork configures the network as ip= says, and renews the lease, if there is
// one. It calls up once the network is up; where it has to wait for others, it goes
// on after that. Errors go to the console: the machine runs without a network.
func keepNetwork(ip string, up func()) {
	if ip == "" {
		return
	}
	p, err := parseIP(ip)
	if err != nil {
		say("ip=%s: %v", ip, err)
		return
	}
	if !p.address.IsValid() && !p.dhcp {
		return
	}
	device, err := awaitDevice(p.device, deviceTime)
	if err != nil {
		say("ip=%s: %v", ip, err)
		return
	}
	switch configured, err := hasAddress(device); {
	case err != nil:
		say("ip=%s: %v", ip, err)
	case configured: // by the kernel
		setServers(kernelServers("/proc/net/pnp", p.dns), nil)
	case p.dhcp:
		keepLease(device, up)
	default:
		if err := configure(device, p.address, p.gateway); err != nil {
			say("ip=%s: %v", ip, err)
		}
		setServers(p.dns, nil)
	}
}

// awaitDevice waits for a network device, any but the loopback if its name is "".
func awaitDevice(name string, long time.Duration) (netlink.Link, error) {
	for end := time.Now().Add(long); ; time.Sleep(5 * time.Millisecond) {
		all, err := netlink.LinkList()
		if err != nil {
			return nil, fmt.Errorf("network devices: %w", err)
		}
		var names []string
		for _, link := range all {
			attrs := link.Attrs()
			if attrs.Name == name || name == "" && attrs.Flags&net.FlagLoopback == 0 && attrs.EncapType == "ether" {
				return link, nil
			}
			names = append(names, attrs.Name)
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("no network device %s after %v; there are: %s", name, long, strings.Join(names, " "))
		}
	}
}

func hasAddress(device netlink.Link) (bool, error) {
	all, err := netlink.AddrList(device, netlink.FAMILY_V4)
	return len(all) > 0, err
}

// configure gives a device an address and the machine a way to other networks.
func configure(device netlink.Link, address netip.Prefix, gateway netip.Addr) error {
	if err := netlink.LinkSetUp(device); err != nil {
		return fmt.Errorf("%s: set up: %w", device.Attrs().Name, err)
	}
	if err := netlink.AddrReplace(device, &netlink.Addr{IPNet: ipNet(address)}); err != nil {
		return fmt.Errorf("%s: address %v: %w", device.Attrs().Name, address, err)
	}
	if !gateway.IsValid() {
		return nil
	}
	route := &netlink.Route{LinkIndex: device.Attrs().Index, Gw: gateway.AsSlice()}
	if !address.Contains(gateway) {
		route.Flags = int(netlink.FLAG_ONLINK)
	}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("%s: gateway %v: %w", device.Attrs().Name, gateway, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}

// loopbackUp makes 127.0.0.1 and ::1 reachable.
func loopbackUp() {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	// A kernel may have no network at all.
	if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EPROTONOSUPPORT) {
		say("loopback interface: %v", err)
	}
}
