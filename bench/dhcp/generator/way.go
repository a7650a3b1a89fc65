package generator

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Mode is how the crowd reaches the server. The names of its replies' destinations are those of RFC 2131 section 4.1.
type Mode string

const (
	// Relay is a relay agent: the clients' messages come from its address by UDP, with giaddr, and answers go there.
	Relay Mode = "relay"
	// Broadcast is clients on the link which ask for broadcast answers.
	Broadcast Mode = "broadcast"
	// Unicast is clients on the link which get frames to their own hardware address before they have an address.
	Unicast Mode = "unicast"
)

// way carries messages to the server and answers back: over a relay's UDP socket, or as frames on a packet socket.
type way interface {
	// prepare sets what the messages of the way have in them.
	prepare(m *message)
	// append makes a packet of m. unicast says that its client has the address m.ciaddr and knows the server's.
	append(b []byte, m *message, unicast bool) []byte
	// payload is the DHCP message in a packet that came, if there is one.
	payload(packet []byte) (message []byte, ok bool)
	// question is an ARP question that came, if packet is one; see appendARPAnswer.
	question(packet []byte) (addr uint32, ok bool)
}

// relayed is the way of a relay agent.
type relayed struct {
	giaddr uint32
}

func (r *relayed) prepare(m *message) { m.giaddr = r.giaddr }

func (r *relayed) append(b []byte, m *message, _ bool) []byte { return m.append(b) }

func (r *relayed) payload(packet []byte) ([]byte, bool) { return packet, true }

func (r *relayed) question([]byte) (uint32, bool) { return 0, false }

// direct is the way of clients on the link.
type direct struct {
	broadcast bool
	server    uint32
	station   hwaddr // of the server, learnt from its answers
}

func (d *direct) prepare(m *message) { m.broadcast = d.broadcast }

func (d *direct) append(b []byte, m *message, unicast bool) []byte {
	b = m.append(appendHeaders(b))
	if unicast && d.station != (hwaddr{}) {
		finishFrame(b, m.chaddr, d.station, m.ciaddr, d.server)
	} else {
		finishFrame(b, m.chaddr, everybody, m.ciaddr, 0xffffffff)
	}
	return b
}

func (d *direct) payload(packet []byte) ([]byte, bool) {
	data, from, ok := datagram(packet)
	if ok {
		d.station = from
	}
	return data, ok
}

func (d *direct) question(packet []byte) (uint32, bool) { return arpQuestion(packet) }

// open opens the socket of a mode in the network namespace of the calling thread.
func open(cfg Config) (way, int, error) {
	if cfg.Mode == Relay {
		fd, err := openRelay(cfg)
		return &relayed{giaddr: toUint(cfg.Relay)}, fd, err
	}
	fd, err := openLink(cfg.Interface)
	return &direct{broadcast: cfg.Mode == Broadcast, server: toUint(cfg.Server)}, fd, err
}

// openRelay opens a socket at the relay's port 67 whose peer is the server's.
func openRelay(cfg Config) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening a UDP socket: %w", err)
	}
	enlarge(fd)
	if err = unix.Bind(fd, &unix.SockaddrInet4{Port: serverPort, Addr: cfg.Relay.As4()}); err == nil {
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: serverPort, Addr: cfg.Server.As4()})
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("opening a relay from %v to %v: %w", cfg.Relay, cfg.Server, err)
	}
	return fd, nil
}

// openLink opens a packet socket for everything that comes over an interface.
func openLink(name string) (int, error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return -1, fmt.Errorf("looking up interface %s: %w", name, err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening a packet socket: %w", err)
	}
	enlarge(fd)
	if err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: link.Index})
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("binding a packet socket to %s: %w", name, err)
	}
	return fd, nil
}

// networkOrder is htons.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

func toUint(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func toAddr(v uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v)))
}
