// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/vishvananda/netlink"
)

const (
	firstLease = 15 * time.Second // how long the init or the command waits for a lease
	retryLease = 10 * time.Second // between attempts to get one
	leastRenew = 5 * time.Second  // between renewals, whatever a server says
)

// A dhcpLease is what a server has lent a device (RFC 2131).
type dhcpLease struct {
	address  netip.Prefix
	gateway  netip.Addr // invalid for none
	dns      []netip.Addr
	search   []string
	renew    time.Duration // from now; 0 for a lease without end
	duration time.Duration
}

// keepLease asks for an address of a device until it has one, and keeps it. It
// calls the function up when it has one, or if no server has answered in time.
func keepLease(device netlink.Link, up func()) {
	name := device.Attrs().Name
	if err := netlink.LinkSetUp(device); err != nil {
		say("%s: set up: %v", name, err)
		return
	}
	slow := time.AfterFunc(firstLease, func() {
		say("%s: no answer to DHCP yet", name)
		up()
	})
	for {
		if lease, err := obtain(name); err == nil {
			hold(device, lease, func() {
				slow.Stop()
				up()
			})
		}
		time.Sleep(retryLease)
	}
}

// hold uses a lease, says so, and renews it. It returns when it has been lost.
func hold(device netlink.Link, lease *nclient4.Lease, up func()) {
	name := device.Attrs().Name
	var before dhcpLease
	for {
		l, err := readLease(lease.ACK)
		if err == nil && before.address.IsValid() && before.address != l.address {
			netlink.AddrDel(device, &netlink.Addr{IPNet: ipNet(before.address)})
		}
		if err == nil {
			err = configure(device, l.address, l.gateway)
		}
		if err != nil {
			say("%s: DHCP: %v", name, err)
			return
		}
		setServers(l.dns, l.search)
		up()
		before = l
		if lease, err = renewed(name, lease, l); err != nil {
			say("%s: the lease of %v has run out: %v", name, l.address, err)
			netlink.AddrDel(device, &netlink.Addr{IPNet: ipNet(l.address)})
			return
		}
	}
}

// renewed waits until a lease is to be renewed and returns the new one. Attempts
// go on until the old one has run out; a server that knows nothing of it is asked
// anew.
func renewed(name string, lease *nclient4.Lease, l dhcpLease) (*nclient4.Lease, error) {
	if l.renew == 0 {
		select {} // for ever
	}
	end := time.Now().Add(l.duration)
	time.Sleep(l.renew)
	for {
		again, err := renew(name, lease)
		if nak := (*nclient4.ErrNak)(nil); err != nil && errors.As(err, &nak) {
			again, err = obtain(name)
		}
		if err == nil {
			return again, nil
		}
		if time.Now().After(end) {
			return nil, err
		}
		time.Sleep(min(retryLease, max(time.Until(end), 0)))
	}
}

// obtain asks for a lease, and returns an error if no server answers in time.
func obtain(name string) (*nclient4.Lease, error) {
	return ask(name, func(ctx context.Context, c *nclient4.Client) (*nclient4.Lease, error) {
		return c.Request(ctx, dhcpv4.WithRequestedOptions(dhcpv4.OptionDNSDomainSearchList))
	})
}

func renew(name string, lease *nclient4.Lease) (*nclient4.Lease, error) {
	return ask(name, func(ctx context.Context, c *nclient4.Client) (*nclient4.Lease, error) { return c.Renew(ctx, lease) })
}

func ask(name string, do func(context.Context, *nclient4.Client) (*nclient4.Lease, error)) (*nclient4.Lease, error) {
	c, err := nclient4.New(name, nclient4.WithTimeout(time.Second), nclient4.WithRetry(4))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), firstLease)
	defer cancel()
	return do(ctx, c)
}

// readLease reads what a server has lent. Nothing in it is trusted.
func readLease(ack *dhcpv4.DHCPv4) (l dhcpLease, err error) {
	a, ok := netip.AddrFromSlice(ack.YourIPAddr.To4())
	if !ok || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return l, fmt.Errorf("a lease of %v", ack.YourIPAddr)
	}
	bits := classBits(a)
	if mask := ack.SubnetMask(); mask != nil {
		ones, size := mask.Size()
		if size != 32 {
			return l, fmt.Errorf("a lease of %v with the netmask %v", a, mask)
		}
		bits = ones
	}
	l.address = netip.PrefixFrom(a, bits)
	if routers := ack.Router(); len(routers) > 0 {
		l.gateway, _ = netip.AddrFromSlice(routers[0].To4())
	}
	for _, server := range ack.DNS() {
		if s, ok := netip.AddrFromSlice(server.To4()); ok {
			l.dns = append(l.dns, s)
		}
	}
	if search := ack.DomainSearch(); search != nil {
		l.search = search.Labels
	}
	if len(l.search) == 0 && ack.DomainName() != "" {
		l.search = []string{ack.DomainName()}
	}
	const endless = 0xffffffff * time.Second
	if l.duration = ack.IPAddressLeaseTime(endless); l.duration != endless {
		l.renew = max(ack.IPAddressRenewalTime(l.duration/2), leastRenew)
	}
	return l, nil
}
