package netcfg

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// dhcp4 is a datagram of a DHCP client for the machine with a MAC address.
func dhcp4(src string, chaddr MAC) []byte {
	packet := udp4(src, 68, 67, strings.Repeat(" ", 240))
	copy(packet[28+28:], chaddr[:])
	return packet
}

// inPieces marks an IPv4 packet as the first of several.
func inPieces(packet []byte) []byte {
	packet = slices.Clone(packet)
	packet[6] |= 0x20
	packet[10], packet[11] = 0, 0
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(packet[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(packet[10:], ^uint16(sum+sum>>16))
	return packet
}

// What a guest under a strict guard may send: from what is its own, and nothing with what is another's.
func TestStrictFrames(t *testing.T) {
	r := newRouter(t)
	a, b := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "tap1", "10.0.0.11/24")
	for _, host := range []*nettest.Host{a, b} {
		host.Run(t, "sysctl", "-q", "-w", "net.ipv6.conf.eth0.disable_ipv6=1")
	}
	card := func(host *nettest.Host) (m MAC) {
		copy(m[:], mac(strings.TrimSpace(host.Run(t, "cat", "/sys/class/net/eth0/address"))))
		return m
	}
	alice, bob, stranger := card(a), card(b), MAC{2, 0xbb, 0, 0, 0, 1}
	h := r.open(t)
	cfg := networks(with(lab(), func(n *Network) { n.Guard = GuardStrict }))
	h.SetGuests(Guests{Bindings: map[Binding]bool{
		{"lab", alice, netip.MustParseAddr("10.0.0.10")}:    true,
		{"lab", bob, netip.MustParseAddr("10.0.0.11")}:      true,
		{"lab", stranger, netip.MustParseAddr("10.0.0.12")}: true,
	}})
	apply(t, h, cfg)
	keep(t, h)
	// Both are heard, and have their ports.
	for _, host := range []*nettest.Host{a, b} {
		nettest.Eventually(t, patience, func() error {
			_, err := host.Try("ping", "-c1", "-W1", "10.0.0.1")
			return err
		})
	}
	nettest.Eventually(t, patience, func() error {
		if out := r.Run(t, "nft", "list", "set", "bridge", "labnet", "stations_lab"); !strings.Contains(out, alice.String()) || !strings.Contains(out, bob.String()) {
			return fmt.Errorf("no ports yet:\n%s", out)
		}
		return nil
	})

	ip := func(src MAC, packet []byte) []byte { return ethernet(src.String(), unix.ETH_P_IP, packet) }
	arp := func(src, sender MAC, address string) []byte {
		return ethernet(src.String(), unix.ETH_P_ARP, arpReply(sender.String(), address))
	}
	out, index := rawSocket(t, b)
	for _, c := range []struct {
		name    string
		frame   []byte
		counter string // "": it passes
	}{
		{"its own", ip(bob, udp4("10.0.0.11", 5353, 5353, "hello")), ""},
		{"its own ARP", arp(bob, bob, "10.0.0.11"), ""},
		{"its own in a VLAN", tagged(ip(bob, udp4("10.0.0.11", 5353, 5353, "hello")), 0x81000064), ""},
		{"an address probe", arp(bob, bob, "0.0.0.0"), ""},
		{"a client's request", ip(bob, dhcp4("0.0.0.0", bob)), ""},
		{"a client's request from another network", ip(bob, dhcp4("203.0.113.9", bob)), ""},
		{"a newcomer's request", ip(MAC{2, 0xcc, 0, 0, 0, 1}, dhcp4("0.0.0.0", MAC{2, 0xcc, 0, 0, 0, 1})), ""},
		{"who hasn't been seen yet", ip(stranger, udp4("10.0.0.12", 5353, 5353, "hello")), ""},
		{"ARP of who hasn't been seen yet", arp(stranger, stranger, "10.0.0.12"), ""},

		{"another's address", ip(bob, udp4("10.0.0.10", 5353, 5353, "hello")), "impostor"},
		{"nobody's address", ip(bob, udp4("10.0.0.99", 5353, 5353, "hello")), "impostor"},
		{"no address", ip(bob, udp4("0.0.0.0", 5353, 5353, "hello")), "impostor"},
		{"the gateway's address", ip(bob, udp4("10.0.0.1", 53, 5353, "hello")), "impostor"},
		{"another's card", ip(alice, udp4("10.0.0.11", 5353, 5353, "hello")), "impostor"},
		{"all of another's", ip(alice, udp4("10.0.0.10", 5353, 5353, "hello")), "impostor"},
		{"another's request", ip(alice, dhcp4("0.0.0.0", alice)), "impostor"},
		{"a request in another's name", ip(bob, dhcp4("10.0.0.11", alice)), "impostor"},
		{"the same in pieces", ip(bob, inPieces(dhcp4("10.0.0.11", bob))), "impostor"},
		{"another's ARP", arp(alice, alice, "10.0.0.10"), "impostor"},
		{"another's address by ARP", arp(bob, bob, "10.0.0.10"), "impostor"},
		{"another's card by ARP", arp(bob, alice, "10.0.0.11"), "impostor"},
		{"another's card, beside one's own", arp(alice, bob, "10.0.0.11"), "impostor"},
		{"the gateway's by ARP", arp(bob, bob, "10.0.0.1"), "impostor"},
		{"another's probe", arp(bob, alice, "0.0.0.0"), "impostor"},
		{"a router solicitation", ethernet(bob.String(), unix.ETH_P_IPV6, ip6(unix.IPPROTO_ICMPV6, []byte{133, 0, 0, 0, 0, 0, 0, 0})), "not_ipv4"},
		{"any other protocol", ethernet(bob.String(), 0x88b5, []byte("hello")), "not_ipv4"},
		{"another's address in a VLAN", tagged(ip(bob, udp4("10.0.0.10", 5353, 5353, "hello")), 0x81000064), "impostor"},
		{"a VLAN in a VLAN", tagged(ip(bob, udp4("10.0.0.11", 5353, 5353, "hello")), 0x88a80065, 0x81000064), "not_ipv4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			counters := func() [2]int { return [2]int{counter(t, r, "bridge", "impostor"), counter(t, r, "bridge", "not_ipv4")} }
			want := counters()
			switch c.counter {
			case "impostor":
				want[0]++
			case "not_ipv4":
				want[1]++
			}
			if err := unix.Sendto(out, c.frame, 0, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
				t.Fatal(err)
			}
			// A veth hands a frame over within the call, or soon after it.
			if c.counter != "" {
				nettest.Eventually(t, patience, func() error {
					if got := counters(); got != want {
						return fmt.Errorf("the counters stand at %v, not at %v", got, want)
					}
					return nil
				})
			} else if got := counters(); got != want {
				t.Errorf("the counters stand at %v, not at %v", got, want)
			}
		})
	}
	if _, err := a.Try("ping", "-c1", "-W5", "10.0.0.11"); err != nil {
		t.Error("alice doesn't reach bob any more")
	}
}
