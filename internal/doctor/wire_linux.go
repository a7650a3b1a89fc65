package doctor

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// How long answers are waited for, and how long a guest is listened to.
const (
	arpWait    = 500 * time.Millisecond
	arpTries   = 2
	pingWait   = time.Second
	listenTime = 1500 * time.Millisecond
)

func networkOrder(v uint16) uint16 { return v<<8 | v>>8 }

// openPacket opens a packet socket on a link for one protocol. Its reads end after a while.
func openPacket(index int, protocol uint16) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	wait := unix.NsecToTimeval((50 * time.Millisecond).Nanoseconds())
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(protocol), Ifindex: index}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait))
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// receive gives frames that come in to f until that returns false, or the time is over.
func receive(fd int, until time.Time, f func(frame []byte) bool) error {
	buffer := make([]byte, 2048)
	for time.Now().Before(until) {
		n, from, err := unix.Recvfrom(fd, buffer, 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if !f(buffer[:n]) {
			return nil
		}
	}
	return nil
}

// whoHas asks by ARP (RFC 826) who has an address, as the host does for its own packets, and returns all who say so: one, as a rule. It
// needs CAP_NET_RAW.
func whoHas(on link, source, addr netip.Addr) ([]net.HardwareAddr, error) {
	fd, err := openPacket(on.index, unix.ETH_P_ARP)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	frame := append(slices.Repeat([]byte{0xff}, 6), on.mac...)
	frame = append(frame, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1)
	frame = append(frame, on.mac...)
	frame = append(frame, source.AsSlice()...)
	frame = append(frame, 0, 0, 0, 0, 0, 0)
	frame = append(frame, addr.AsSlice()...)
	to := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ARP), Ifindex: on.index, Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	var found []net.HardwareAddr
	for range arpTries {
		if err := unix.Sendto(fd, frame, 0, to); err != nil {
			return nil, err
		}
		// Until the end of the time, also after an answer: a second machine is what may be wrong.
		if err := receive(fd, time.Now().Add(arpWait), func(b []byte) bool {
			sender, mac, ok := arpSender(b)
			isReply := ok && b[21] == 2
			if isReply && sender == addr && !slices.ContainsFunc(found, func(m net.HardwareAddr) bool { return m.String() == mac.String() }) {
				found = append(found, mac)
			}
			return true
		}); err != nil {
			return nil, err
		}
		if len(found) > 0 {
			break
		}
	}
	return found, nil
}

// arpSender is who sends an ARP packet for IPv4 over Ethernet, and which address it says that it has.
func arpSender(frame []byte) (netip.Addr, net.HardwareAddr, bool) {
	const size = 42
	if len(frame) < size || binary.BigEndian.Uint16(frame[12:]) != unix.ETH_P_ARP || binary.BigEndian.Uint16(frame[16:]) != unix.ETH_P_IP {
		return netip.Addr{}, nil, false
	}
	addr, _ := netip.AddrFromSlice(frame[28:32])
	return addr, slices.Clone(net.HardwareAddr(frame[22:28])), true
}

// ping asks for an echo (RFC 792). It needs CAP_NET_RAW.
func ping(source, addr netip.Addr) (bool, error) {
	conn, err := icmp.ListenPacket("ip4:icmp", source.String())
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	id := int(uint16(time.Now().UnixNano()))
	message := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: id, Seq: 1, Data: []byte("labnet doctor")}}
	text, err := message.Marshal(nil)
	if err != nil {
		return false, err
	}
	if _, err := conn.WriteTo(text, &net.IPAddr{IP: addr.AsSlice()}); err != nil {
		return false, nil // nobody answers ARP, say
	}
	if err := conn.SetReadDeadline(time.Now().Add(pingWait)); err != nil {
		return false, err
	}
	buffer := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return false, nil
		}
		answer, err := icmp.ParseMessage(1, buffer[:n])
		if err != nil || answer.Type != ipv4.ICMPTypeEchoReply || from.String() != addr.String() {
			continue
		}
		if echo, ok := answer.Body.(*icmp.Echo); ok && echo.ID == id {
			return true, nil
		}
	}
}

// sender is a machine and an IPv4 address that it sends from.
type sender struct {
	mac  [6]byte
	addr netip.Addr
}

// senders listens to a link for a while and returns who sends from which IPv4 addresses, by ARP and by IP: of one machine alone if mac is
// given. It needs CAP_NET_RAW.
func senders(on link, mac net.HardwareAddr) ([]sender, error) {
	fd, err := openPacket(on.index, unix.ETH_P_ALL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	var found []sender
	err = receive(fd, time.Now().Add(listenTime), func(b []byte) bool {
		const headers, most = 34, 8
		if len(b) < headers || mac != nil && net.HardwareAddr(b[6:12]).String() != mac.String() {
			return true
		}
		addr, _, isARP := arpSender(b)
		if !isARP && binary.BigEndian.Uint16(b[12:]) == unix.ETH_P_IP {
			addr, _ = netip.AddrFromSlice(b[26:30])
		}
		s := sender{[6]byte(b[6:12]), addr}
		if addr.IsValid() && !addr.IsUnspecified() && !slices.Contains(found, s) && len(found) < most {
			found = append(found, s)
		}
		return true
	})
	return found, err
}
