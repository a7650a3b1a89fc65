package netcfg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// rawSocket is an AF_PACKET socket on a guest's eth0.
func rawSocket(t *testing.T, host *nettest.Host) (fd, index int) {
	t.Helper()
	var err error
	host.Do(t, func() {
		var i *net.Interface
		if i, err = net.InterfaceByName("eth0"); err != nil {
			return
		}
		index = i.Index
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0x0300 /* ETH_P_ALL in network order */); err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1)
		}
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: index})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd, index
}

// withTag puts back the outermost VLAN tag of a frame, which the kernel tells beside it (struct tpacket_auxdata).
func withTag(t *testing.T, frame, control []byte) []byte {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if status := native32(m.Data); m.Header.Type == unix.PACKET_AUXDATA && status&unix.TP_STATUS_VLAN_VALID != 0 {
			tci, tpid := binary.NativeEndian.Uint16(m.Data[16:]), binary.NativeEndian.Uint16(m.Data[18:])
			return tagged(frame, uint32(tpid)<<16|uint32(tci))
		}
	}
	return slices.Clone(frame)
}

func mac(s string) []byte {
	hw, err := net.ParseMAC(s)
	if err != nil {
		panic(err)
	}
	return hw
}

func ethernet(src string, kind uint16, data []byte) []byte {
	frame := slices.Concat(mac("ff:ff:ff:ff:ff:ff"), mac(src), binary.BigEndian.AppendUint16(nil, kind), data)
	return append(frame, make([]byte, max(0, 60-len(frame)))...)
}

// tagged puts VLAN tags behind the addresses of a frame.
func tagged(frame []byte, tags ...uint32) []byte {
	var header []byte
	for _, tag := range tags {
		header = binary.BigEndian.AppendUint32(header, tag)
	}
	return slices.Concat(frame[:12], header, frame[12:])
}

// snapped puts a frame's Ethernet type behind an LLC and SNAP header.
func snapped(frame []byte, organization byte) []byte {
	return slices.Concat(frame[:12], []byte{0, byte(len(frame) - 6), 0xaa, 0xaa, 3, 0, 0, organization}, frame[12:])
}

func arpReply(senderMAC, sender string) []byte {
	return slices.Concat([]byte{0, 1, 8, 0, 6, 4, 0, 2}, mac(senderMAC), netip.MustParseAddr(sender).AsSlice(),
		mac("ff:ff:ff:ff:ff:ff"), netip.MustParseAddr(sender).AsSlice())
}

// tcp4 is udp4 with a TCP segment that resets a connection.
func tcp4(src string, sport, dport uint16) []byte {
	packet := udp4(src, sport, dport, "")
	packet[9] = unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(packet[10:], binary.BigEndian.Uint16(packet[10:])+unix.IPPROTO_UDP-unix.IPPROTO_TCP) // of the header, RFC 1624
	packet[20+12], packet[20+13] = 5<<4, 4
	return packet
}

func udp4(src string, sport, dport uint16, text string) []byte {
	text = fmt.Sprintf("%-40s", text) // br_netfilter cuts off what pads a frame
	length := 20 + 8 + len(text)
	header := []byte{0x45, 0, byte(length >> 8), byte(length), 0, 0, 0, 0, 64, unix.IPPROTO_UDP, 0, 0}
	header = slices.Concat(header, netip.MustParseAddr(src).AsSlice(), []byte{255, 255, 255, 255})
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(header[10:], ^uint16(sum+sum>>16))
	header = binary.BigEndian.AppendUint16(header, sport)
	header = binary.BigEndian.AppendUint16(header, dport)
	header = binary.BigEndian.AppendUint16(header, uint16(8+len(text)))
	return append(append(header, 0, 0), text...)
}

func ip6(next byte, payload []byte) []byte {
	header := []byte{0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), next, 255}
	return slices.Concat(header, netip.MustParseAddr("fe80::7").AsSlice(), netip.MustParseAddr("ff02::1").AsSlice(), payload)
}

// What one guest sends to the others of its bridge: the forbidden stays out, the rest arrives.
func TestFramesAmongGuests(t *testing.T) {
	r := newRouter(t)
	a, b := r.guest(t, "tap0", "10.0.0.10/24"), r.guest(t, "tap1", "10.0.0.11/24")
	cfg := networks(lab())
	h := r.open(t)
	apply(t, h, cfg)
	bridgeMAC := stableMAC(machineID(), "br0")
	const guest = "02:aa:00:00:00:0a"

	forbidden := map[string][]byte{
		"ARP for the gateway":              ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "10.0.0.1")),
		"ARP with the bridge's MAC":        ethernet(guest, unix.ETH_P_ARP, arpReply(bridgeMAC, "10.0.0.50")),
		"the bridge's MAC":                 ethernet(bridgeMAC, unix.ETH_P_ARP, arpReply(guest, "10.0.0.50")),
		"an answer in the gateway's name":  ethernet(guest, unix.ETH_P_IP, udp4("10.0.0.1", 53, 5353, "forged")),
		"one to a high port":               ethernet(guest, unix.ETH_P_IP, udp4("10.0.0.1", 53, 33333, "forged too")),
		"a reset in the gateway's name":    ethernet(guest, unix.ETH_P_IP, tcp4("10.0.0.1", 80, 33333)),
		"TCP from the bridge's MAC":        ethernet(bridgeMAC, unix.ETH_P_IP, tcp4("10.0.0.10", 80, 33333)),
		"a datagram from it":               ethernet(bridgeMAC, unix.ETH_P_IP, udp4("10.0.0.10", 53, 33333, "from the bridge")),
		"a DHCP server's offer":            ethernet(guest, unix.ETH_P_IP, udp4("10.0.0.10", 67, 68, "offer")),
		"a router advertisement":           ethernet(guest, unix.ETH_P_IPV6, ip6(unix.IPPROTO_ICMPV6, []byte{134, 0, 0, 0, 64, 0, 7, 8})),
		"the same behind an option header": ethernet(guest, unix.ETH_P_IPV6, ip6(0, []byte{unix.IPPROTO_ICMPV6, 0, 1, 4, 0, 0, 0, 0, 134, 0, 0, 0, 64, 0, 7, 8})),
		"an offer from any port":           ethernet(guest, unix.ETH_P_IP, udp4("10.0.0.10", 6767, 68, "offer from elsewhere")),
		"a DHCPv6 answer from any port":    ethernet(guest, unix.ETH_P_IPV6, ip6(unix.IPPROTO_UDP, []byte{2, 36, 2, 34, 0, 8, 0, 0})),
		"ARP behind a priority tag":        tagged(ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "10.0.0.1")), 0x81006000),
		"ARP behind two priority tags":     tagged(ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "10.0.0.1")), 0x81000000, 0x81002000),
		"ARP behind a service tag":         tagged(ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "10.0.0.1")), 0x88a80000, 0x81000000),
		"an offer behind service tags":     tagged(ethernet(guest, unix.ETH_P_IP, udp4("10.0.0.10", 67, 68, "offer")), 0x81000000, 0x88a80000),
		"ARP behind LLC":                   snapped(ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "10.0.0.1")), 0),
		"ARP behind a bridge tunnel":       snapped(ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "10.0.0.1")), 0xf8),
		"ARP behind a tag and LLC":         tagged(snapped(ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "10.0.0.1")), 0), 0x81000000),
		"a DHCPv6 server's answer":         ethernet(guest, unix.ETH_P_IPV6, ip6(unix.IPPROTO_UDP, []byte{2, 35, 2, 34, 0, 8, 0, 0})),
	}
	allowed := map[string][]byte{
		"ARP for itself":          ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "10.0.0.10")),
		"an address probe":        ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "0.0.0.0")),
		"any segment":             ethernet(guest, unix.ETH_P_IP, tcp4("10.0.0.10", 80, 80)),
		"any datagram":            ethernet(guest, unix.ETH_P_IP, udp4("10.0.0.10", 5353, 5353, "hello")),
		"a DHCP client's request": ethernet(guest, unix.ETH_P_IP, udp4("0.0.0.0", 68, 67, "discover")),
		"a router solicitation":   ethernet(guest, unix.ETH_P_IPV6, ip6(unix.IPPROTO_ICMPV6, []byte{133, 0, 0, 0, 0, 0, 0, 0})),
		"a VLAN of its own":       tagged(ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "10.0.0.10")), 0x81000064),
		"a VLAN in a VLAN":        tagged(ethernet(guest, unix.ETH_P_ARP, arpReply(guest, "10.0.0.10")), 0x88a80065, 0x81000064),
		"a switch's LLC":          ethernet(guest, 39, append([]byte{0x42, 0x42, 3}, make([]byte, 36)...)),
		"a DHCPv6 client's":       ethernet(guest, unix.ETH_P_IPV6, ip6(unix.IPPROTO_UDP, []byte{2, 34, 2, 35, 0, 8, 0, 0})),
	}
	out, index := rawSocket(t, a)
	in, _ := rawSocket(t, b)
	receive := func(frames map[string][]byte, until string) map[string]bool {
		got := map[string]bool{}
		buffer, aux := make([]byte, 2000), make([]byte, 200)
		timeout := unix.NsecToTimeval(int64(100 * time.Millisecond))
		if err := unix.SetsockoptTimeval(in, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
			n, control, _, _, err := unix.Recvmsg(in, buffer, aux, 0)
			if err != nil {
				continue
			}
			received := withTag(t, buffer[:n], aux[:control])
			for name, frame := range frames {
				if bytes.HasPrefix(received, frame) {
					got[name] = true
				}
			}
			if got[until] {
				return got
			}
		}
		return got
	}
	send := func(frame []byte) {
		if err := unix.Sendto(out, frame, 0, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
			t.Fatal(err)
		}
	}
	// The last frame has an own kind: once it is there, the others were too, or won't come.
	last := ethernet(guest, 0x88b5, []byte("the last one"))
	all := map[string][]byte{"last": last}
	for _, frames := range []map[string][]byte{forbidden, allowed} {
		for name, frame := range frames {
			all[name] = frame
		}
	}
	sendAll := func() map[string]bool {
		for _, frame := range all {
			if !bytes.Equal(frame, last) {
				send(frame)
			}
		}
		send(last)
		return receive(all, "last")
	}
	got := sendAll()
	for name := range forbidden {
		if got[name] {
			t.Errorf("a guest may send %s", name)
		}
	}
	for name := range allowed {
		if !got[name] {
			t.Errorf("a guest may not send %s", name)
		}
	}
	for name, want := range map[string]int{"impostor": 15, "rogue": 6} {
		if n := counter(t, r, "bridge", name); n != want {
			t.Errorf("counter %s stands at %d, not %d", name, n, want)
		}
	}
	// Without the rules all of them arrive: the test tells something. (By br_netfilter those of IP would see some.)
	bridgeNetfilter(t, r, 0)
	r.Run(t, "nft", "delete", "table", "bridge", "labnet")
	if got := sendAll(); len(got) != len(all) {
		t.Errorf("without rules only these arrive: %v", got)
	}
}

// A client that still has the address of another network gets its request through to the host.
func TestRequestFromAnotherNetworksAddress(t *testing.T) {
	r := newRouter(t)
	a := r.guest(t, "tap0", "10.0.0.10/24")
	h := r.open(t)
	apply(t, h, networks(lab()))
	// Reverse path filtering of the host would drop it later on: the question here is the firewall.
	r.Run(t, "nft", "add table inet seen; add chain inet seen c { type filter hook prerouting priority -250; }; add counter inet seen renewals; add rule inet seen c udp dport 67 counter name renewals")
	out, index := rawSocket(t, a)
	if err := unix.Sendto(out, ethernet("02:aa:00:00:00:0a", unix.ETH_P_IP, udp4("203.0.113.9", 68, 67, "rebind")), 0, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, patience, func() error {
		if text := r.Run(t, "nft", "list", "counter", "inet", "seen", "renewals"); !bytes.Contains([]byte(text), []byte("packets 1 ")) {
			return fmt.Errorf("not there: %s", text)
		}
		return nil
	})
}
