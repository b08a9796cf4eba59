// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"github.com/vishvananda/netlink"
)

// TestNetwork configures a device of a network namespace: by DHCP, where the
// server is at the other end of the cable, and then renews the lease.
func TestNetwork(t *testing.T) {
	needNamespaces(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--net", "--mount", self)
	cmd.Env = []string{"BANGER_TEST_DHCP=" + t.TempDir()}
	cmd.Stderr = new(strings.Builder)
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "10.9.0.7/24 via 10.9.0.1, renewed, lost\n") {
		t.Errorf("%v\n%s%v", err, out, cmd.Stderr)
	}
}

// beDHCPClient is the process in the namespace.
func beDHCPClient() (status int) {
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "server"}
	if err := netlink.LinkAdd(veth); err != nil {
		fmt.Println(err)
		return 1
	}
	peer, err := netlink.LinkByName("server")
	if err == nil {
		err = netlink.LinkSetUp(peer)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var requests atomic.Int64
	s, err := server4.NewServer("server", nil, func(conn net.PacketConn, to net.Addr, m *dhcpv4.DHCPv4) { answer(conn, m, &requests) })
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go s.Serve()
	up := make(chan struct{})
	go keepNetwork(":::::eth0:dhcp", sync.OnceFunc(func() { close(up) }))
	select {
	case <-up:
	case <-time.After(30 * time.Second):
		fmt.Println("no lease")
		return 1
	}
	eth0, _ := netlink.LinkByName("eth0")
	address, gateway := "", ""
	if all, _ := netlink.AddrList(eth0, netlink.FAMILY_V4); len(all) == 1 {
		address = all[0].IPNet.String()
	}
	if all, _ := netlink.RouteList(eth0, netlink.FAMILY_V4); len(all) > 0 {
		for _, route := range all {
			if route.Gw != nil {
				gateway = route.Gw.String()
			}
		}
	}
	fmt.Printf("%s via %s", address, gateway)
	for end := time.Now().Add(30 * time.Second); requests.Load() < 2 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if requests.Load() >= 2 {
		fmt.Print(", renewed")
	}
	s.Close()
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if has, err := hasAddress(eth0); !has && err == nil {
			fmt.Println(", lost")
			return 0
		}
	}
	return 1
}

// answer is what the server does with a message.
func answer(conn net.PacketConn, m *dhcpv4.DHCPv4, requests *atomic.Int64) {
	kind := dhcpv4.MessageTypeOffer
	if m.MessageType() == dhcpv4.MessageTypeRequest {
		kind = dhcpv4.MessageTypeAck
		requests.Add(1)
	}
	reply, err := dhcpv4.NewReplyFromRequest(m, dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(net.IP{10, 9, 0, 7}),
		dhcpv4.WithServerIP(net.IP{10, 9, 0, 1}), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IP{10, 9, 0, 1})),
		dhcpv4.WithNetmask(net.IPv4Mask(255, 255, 255, 0)), dhcpv4.WithRouter(net.IP{10, 9, 0, 1}), dhcpv4.WithLeaseTime(8))
	if err == nil {
		conn.WriteTo(reply.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 68})
	}
}
