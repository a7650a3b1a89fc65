package dhcpserver

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// rawClient speaks to the server in whole Ethernet frames from one end of a link, as any number of machines. It answers
// ARP for the addresses that its machines have.
type rawClient struct {
	fd       int
	index    int
	stop     [2]int // a pipe
	done     chan struct{}
	received chan heard
	server   [6]byte

	mu      sync.Mutex
	answers map[netip.Addr][6]byte // guarded by mu: whose ARP is answered, with what
}

// heard is a frame from port 67.
type heard struct {
	dstMAC, srcMAC [6]byte
	src, dst       netip.AddrPort
	payload        []byte
	bad            string // what is wrong with the headers
}

func newRawClient(t testing.TB, h *nettest.Host, iface string, serverMAC [6]byte) *rawClient {
	t.Helper()
	c := &rawClient{
		server: serverMAC, received: make(chan heard, 4096), done: make(chan struct{}),
		answers: make(map[netip.Addr][6]byte),
	}
	h.Do(t, func() {
		link, err := net.InterfaceByName(iface)
		if err == nil {
			c.index = link.Index
			c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(networkOrder(unix.ETH_P_ALL)))
		}
		if err == nil {
			err = unix.Bind(c.fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: c.index})
		}
		if err == nil {
			err = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
		}
		if err != nil {
			t.Errorf("raw client: %v", err)
		}
	})
	if err := unix.Pipe2(c.stop[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	go c.run()
	t.Cleanup(func() {
		_ = unix.Close(c.stop[1])
		<-c.done
		_ = unix.Close(c.stop[0])
		_ = unix.Close(c.fd)
	})
	return c
}

func (c *rawClient) run() {
	defer close(c.done)
	buf := make([]byte, 65536)
	for {
		poll := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}, {Fd: int32(c.stop[0])}}
		if _, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR {
			return
		}
		if poll[1].Revents != 0 {
			return
		}
		n, from, err := unix.Recvfrom(c.fd, buf, 0)
		if err != nil {
			continue
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		c.frame(buf[:n])
	}
}

func (c *rawClient) frame(b []byte) {
	switch {
	case len(b) >= 42 && b[12] == 8 && b[13] == 6:
		c.arp(b)
	case len(b) >= headersLen && b[12] == 8 && b[13] == 0 && b[23] == protocolUDP && binary.BigEndian.Uint16(b[34:]) == serverPort:
		c.received <- readFrame(b)
	}
}

// arp answers "who has" for the machines' addresses.
func (c *rawClient) arp(b []byte) {
	target := netip.AddrFrom4([4]byte(b[38:]))
	c.mu.Lock()
	mac, ok := c.answers[target]
	c.mu.Unlock()
	if !ok || b[21] != 1 {
		return
	}
	r := make([]byte, 42)
	copy(r, b[6:12])
	copy(r[6:], mac[:])
	copy(r[12:], []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 2})
	copy(r[22:], mac[:])
	copy(r[28:], b[38:42])
	copy(r[32:], b[22:32])
	c.transmit(r)
}

func (c *rawClient) transmit(b []byte) {
	_ = unix.Sendto(c.fd, b, 0, &unix.SockaddrLinklayer{Ifindex: c.index, Halen: 6})
}

// claim makes the client answer ARP for addr, and the server know it before it asks: a reply that had to wait for ARP
// could be overtaken.
func (c *rawClient) claim(addr, mac string) {
	a := netip.MustParseAddr(addr)
	c.mu.Lock()
	c.answers[a] = [6]byte([]byte(mac))
	c.mu.Unlock()
	r := make([]byte, 42)
	copy(r, broadcastMAC[:])
	copy(r[6:], mac)
	copy(r[12:], []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1})
	copy(r[22:], mac)
	copy(r[28:], a.AsSlice())
	copy(r[38:], ip4(server))
	c.transmit(r)
}

// send sends a message: by broadcast, or from an address to the server's. Messages of a relay come from port 67.
func (c *rawClient) send(q request, from string) {
	payload := q.bytes()
	mac := q.mac
	if len(mac) != 6 {
		mac = testMAC
	}
	to := destination{to: netip.AddrPortFrom(broadcastAddr, serverPort), mac: broadcastMAC}
	source := netip.IPv4Unspecified()
	if from != broadcastFrom {
		c.claim(from, mac)
		source = netip.MustParseAddr(from)
		to = destination{to: netip.AddrPortFrom(netip.MustParseAddr(server), serverPort), mac: c.server}
	}
	c.transmit(clientFrame(payload, to, [6]byte([]byte(mac)), source, clientPort))
}

// clientFrame is finishFrame with the ports turned round.
func clientFrame(payload []byte, to destination, mac [6]byte, source netip.Addr, port uint16) []byte {
	b := append(make([]byte, headersLen), payload...)
	finishFrame(b, to, mac, source)
	// The checksum covers the ports; a sum of 0 says that there is none.
	binary.BigEndian.PutUint16(b[34:], port)
	binary.BigEndian.PutUint16(b[40:], 0)
	return b
}

// next is the next frame from the server.
func (c *rawClient) next(limit time.Duration) (heard, error) {
	select {
	case h := <-c.received:
		if h.bad != "" {
			return h, fmt.Errorf("a broken frame: %s", h.bad)
		}
		return h, nil
	case <-time.After(limit):
		return heard{}, fmt.Errorf("nothing heard within %v", limit)
	}
}

func readFrame(b []byte) heard {
	length := int(binary.BigEndian.Uint16(b[16:]))
	h := heard{
		dstMAC: [6]byte(b), srcMAC: [6]byte(b[6:]),
		src: netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[26:])), binary.BigEndian.Uint16(b[34:])),
		dst: netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[30:])), binary.BigEndian.Uint16(b[36:])),
	}
	if b[14] != 0x45 || ethernetHeaderLen+length > len(b) {
		h.bad = "length or options of the IP header"
		return h
	}
	ip := b[ethernetHeaderLen : ethernetHeaderLen+length]
	udp := ip[ipv4HeaderLen:]
	h.payload = append([]byte(nil), udp[udpHeaderLen:]...)
	pseudo := append(append([]byte{}, ip[12:20]...), 0, protocolUDP, udp[4], udp[5])
	switch {
	case slowSum(ip[:ipv4HeaderLen]) != 0xffff:
		h.bad = "checksum of the IP header"
	case udp[6] == 0 && udp[7] == 0, slowSum(append(pseudo, udp...)) != 0xffff:
		h.bad = "checksum of the UDP datagram"
	case int(binary.BigEndian.Uint16(udp[4:])) != len(udp):
		h.bad = "length of the UDP datagram"
	}
	return h
}
