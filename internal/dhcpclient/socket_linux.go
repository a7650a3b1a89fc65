package dhcpclient

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sockets are a client's. Frames are received and sent whole, since the kernel has no address to do it with. Each receiving socket is for
// one protocol: the kernel shows it nothing that the host sends.
type sockets struct {
	iface, uplink string
	dhcp, arp     *os.File // AF_PACKET; frames are sent by dhcp
	links         *os.File // netlink: tells that links change
	sink          *os.File // UDP port 68, unread; nil if it can't be had
	state         linkState
}

// dhcpFilter lets UDP to port 68 pass, unless it is a part of a datagram.
var dhcpFilter = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: ethernetHeaderLen + 9},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: protocolUDP, Jf: 6},
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: ethernetHeaderLen + 6},
	{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x3fff, Jt: 4},
	{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: ethernetHeaderLen},
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: ethernetHeaderLen + 2},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: clientPort, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: maxFrame},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// arpFilter lets ARP pass: the socket gets nothing else.
var arpFilter = []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 128}}

// nothingFilter lets nothing pass.
var nothingFilter = []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}

// maxFrame is how much is read of a frame.
const maxFrame = ethernetHeaderLen + maxMessage

// openSockets opens the sockets in the network namespace of the calling thread.
func openSockets(iface, uplink string) (_ *sockets, err error) {
	s := &sockets{iface: iface, uplink: uplink}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	// Before the first look: no change goes unseen.
	if s.links, err = openLinks(); err != nil {
		return nil, err
	}
	if s.dhcp, err = openPacket("dhcp", dhcpFilter); err != nil {
		return nil, err
	}
	if s.arp, err = openPacket("arp", arpFilter); err != nil {
		return nil, err
	}
	if s.state, err = lookUp(s.dhcp, iface, uplink); err != nil {
		return nil, err
	}
	s.openSink()
	return s, s.listenOn(s.state.index)
}

func openPacket(what string, filter []unix.SockFilter) (*os.File, error) {
	// Protocol 0: it hears nothing before the filter is in place.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if errors.Is(err, unix.EPERM) {
		err = fmt.Errorf("%w: CAP_NET_RAW is missing", err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), what+" socket of the DHCP client")
	err = attach(fd, filter)
	if err == nil {
		// It says which checksums are still to be computed, and which frames are of another VLAN.
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("preparing a packet socket: %w", err)
	}
	return file, nil
}

func attach(fd int, filter []unix.SockFilter) error {
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}

// openSink takes UDP port 68, so that the kernel doesn't tell servers that nobody is there when they answer a renewal. Where it can't
// be had, without CAP_NET_BIND_SERVICE or beside another client, it does without.
func (s *sockets) openSink() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.BindToDevice(fd, s.iface)
	}
	if err == nil {
		err = attach(fd, nothingFilter)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: clientPort})
	}
	if err != nil {
		_ = unix.Close(fd)
		return
	}
	s.sink = os.NewFile(uintptr(fd), "port of the DHCP client")
}

// listenOn makes the sockets hear the link with this index.
func (s *sockets) listenOn(index int) error {
	for file, protocol := range map[*os.File]uint16{s.dhcp: etherTypeIPv4, s.arp: etherTypeARP} {
		err := control(file, func(fd int) error {
			return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(protocol), Ifindex: index})
		})
		if err != nil {
			return fmt.Errorf("listening on %s: %w", s.iface, err)
		}
	}
	return nil
}

// current is the interface as it was at the last look.
func (s *sockets) current() linkState { return s.state }

// refresh looks at the interface, and follows one that was made anew under the same name. The zero state: there is none.
func (s *sockets) refresh() (linkState, error) {
	now, err := lookUp(s.dhcp, s.iface, s.uplink)
	if errors.Is(err, unix.ENODEV) {
		now, err = linkState{}, nil
	}
	if err == nil && now.index != 0 && now.index != s.state.index {
		err = s.listenOn(now.index)
		if s.sink != nil {
			_ = control(s.sink, func(fd int) error { return unix.BindToDevice(fd, s.iface) })
		}
	}
	if errors.Is(err, unix.ENODEV) { // it went away in between; that is told, too
		return s.state, nil
	}
	if err != nil {
		return s.state, err
	}
	s.state = now
	return now, nil
}

func (s *sockets) send(frame []byte) error {
	return control(s.dhcp, func(fd int) error {
		return unix.Sendto(fd, frame, unix.MSG_DONTWAIT, &unix.SockaddrLinklayer{
			Protocol: networkOrder(binary.BigEndian.Uint16(frame[12:])), Ifindex: s.state.index, Halen: 6, Addr: [8]byte(append(frame[:6:6], 0, 0)),
		})
	})
}

// readDHCP hands messages for the client to the loop, until ctx ends.
func (s *sockets) readDHCP(ctx context.Context, l *loop) error {
	return receive(ctx, s.dhcp, func(frame []byte, unsummed bool) bool {
		d, ok := readDatagram(frame, unsummed)
		hint := l.hints.Load()
		if !ok || hint == nil || len(d.payload) < offsetCookie || [4]byte(d.payload[offsetXID:]) != hint.xid || mac(d.payload[offsetCHAddr:]) != hint.own {
			return true
		}
		d.payload = append([]byte(nil), d.payload...) // the frame's place is needed for the next
		return l.put(ctx, func(now time.Duration) { l.message(now, d) })
	})
}

// readARP hands ARP about the client's addresses to the loop, until ctx ends.
func (s *sockets) readARP(ctx context.Context, l *loop) error {
	return receive(ctx, s.arp, func(frame []byte, _ bool) bool {
		p, ok := readARP(frame)
		hint := l.hints.Load()
		if !ok || hint == nil || p.sender == hint.own || !hint.addr.IsValid() ||
			p.senderIP != hint.addr && p.senderIP != hint.hop && !(p.senderIP.IsUnspecified() && p.targetIP == hint.addr) {
			return true
		}
		return l.put(ctx, func(now time.Duration) { l.machine.heard(now, p) })
	})
}

// receive calls f with each frame, until it is false or ctx ends.
func receive(ctx context.Context, file *os.File, f func(frame []byte, unsummed bool) bool) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	frame, extra := make([]byte, maxFrame), make([]byte, 128)
	for {
		var n, extraLen int
		var inner error
		err := conn.Read(func(fd uintptr) bool {
			n, extraLen, _, _, inner = unix.Recvmsg(int(fd), frame, extra, unix.MSG_DONTWAIT)
			return !errors.Is(inner, unix.EAGAIN)
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("receiving: %w", err)
		case errors.Is(inner, unix.ENETDOWN), errors.Is(inner, unix.EINTR):
			continue // the link is down, or gone: the socket goes on when there is one
		case inner != nil:
			return fmt.Errorf("receiving: %w", inner)
		}
		unsummed, tagged := auxiliary(extra[:extraLen])
		if !tagged && !f(frame[:n], unsummed) {
			return nil
		}
	}
}

// auxiliary reads what the kernel says of a frame: the UDP checksum isn't computed yet; it is of a VLAN.
func auxiliary(extra []byte) (unsummed, tagged bool) {
	messages, err := unix.ParseSocketControlMessage(extra)
	if err != nil {
		return false, false
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < int(unsafe.Sizeof(unix.TpacketAuxdata{})) {
			continue
		}
		aux := (*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0]))
		const vlanID = 0x0fff // the rest is the priority
		return aux.Status&unix.TP_STATUS_CSUMNOTREADY != 0, aux.Status&unix.TP_STATUS_VLAN_VALID != 0 && aux.Vlan_tci&vlanID != 0
	}
	return false, false
}

// interrupt ends waiting reads, now and from now on.
func (s *sockets) interrupt() {
	for _, f := range []*os.File{s.dhcp, s.arp, s.links} {
		_ = f.SetReadDeadline(time.Unix(1, 0))
	}
}

func (s *sockets) close() {
	for _, f := range []*os.File{s.dhcp, s.arp, s.links, s.sink} {
		if f != nil {
			_ = f.Close()
		}
	}
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
