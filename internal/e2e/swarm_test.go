package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"

	"labnet/internal/nettest"
)

// swarm is many DHCP clients on one link of one machine, told apart by chaddr and xid. It writes down every ACK that it
// receives.
type swarm struct {
	conn net.PacketConn

	mu      sync.Mutex // guards what follows
	waiting map[dhcpv4.TransactionID]chan *dhcpv4.DHCPv4
	acked   map[string]acked // by MAC
	acks    int
}

// acked is what the last ACK granted.
type acked struct {
	addr  netip.Addr
	until time.Time
}

// newSwarm opens the link in the guest's namespace and starts reading.
func newSwarm(t *testing.T, h *nettest.Host) *swarm {
	t.Helper()
	s := &swarm{waiting: map[dhcpv4.TransactionID]chan *dhcpv4.DHCPv4{}, acked: map[string]acked{}}
	h.Do(t, func() {
		conn, err := nclient4.NewRawUDPConn("eth0", 68)
		if err != nil {
			t.Errorf("opening the swarm's socket: %v", err)
			return
		}
		s.conn = conn
	})
	if s.conn == nil {
		t.FailNow()
	}
	done := make(chan struct{})
	go func() { defer close(done); s.read() }()
	t.Cleanup(func() { _ = s.conn.Close(); <-done })
	return s
}

func (s *swarm) read() {
	buffer := make([]byte, 2048)
	for {
		n, _, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		reply, err := dhcpv4.FromBytes(buffer[:n])
		if err != nil || reply.OpCode != dhcpv4.OpcodeBootReply {
			continue
		}
		s.mu.Lock()
		if reply.MessageType() == dhcpv4.MessageTypeAck {
			addr, _ := netip.AddrFromSlice(reply.YourIPAddr.To4())
			s.acked[reply.ClientHWAddr.String()] = acked{addr, time.Now().Add(reply.IPAddressLeaseTime(0))}
			s.acks++
		}
		if to, ok := s.waiting[reply.TransactionID]; ok {
			select {
			case to <- reply:
			default: // a second answer to the same question
			}
		}
		s.mu.Unlock()
	}
}

// ask sends a message until an answer comes, at most tries times.
func (s *swarm) ask(m *dhcpv4.DHCPv4, tries int) (*dhcpv4.DHCPv4, error) {
	answer := make(chan *dhcpv4.DHCPv4, 1)
	s.mu.Lock()
	s.waiting[m.TransactionID] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, m.TransactionID)
		s.mu.Unlock()
	}()
	for range tries {
		if _, err := s.conn.WriteTo(m.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 67}); err != nil {
			return nil, err
		}
		select {
		case reply := <-answer:
			return reply, nil
		case <-time.After(time.Second):
		}
	}
	return nil, fmt.Errorf("no answer to %s of %s", m.MessageType(), m.ClientHWAddr)
}

// lease does the four messages of RFC 2131 section 3.1 for one client.
func (s *swarm) lease(mac net.HardwareAddr, tries int) (*dhcpv4.DHCPv4, error) {
	discover, err := dhcpv4.NewDiscovery(mac, dhcpv4.WithBroadcast(true))
	if err != nil {
		return nil, err
	}
	offer, err := s.ask(discover, tries)
	if err != nil {
		return nil, err
	}
	request, err := dhcpv4.NewRequestFromOffer(offer, dhcpv4.WithBroadcast(true))
	if err != nil {
		return nil, err
	}
	return s.ask(request, tries)
}

// own gives the machine the addresses, as clients with leases do: what has ciaddr is answered by unicast, which needs ARP.
func (s *swarm) own(t *testing.T, h *nettest.Host, addrs ...netip.Addr) {
	t.Helper()
	for _, addr := range addrs {
		h.Run(t, "ip", "address", "replace", addr.String()+"/32", "dev", "eth0")
	}
}

// rebind is REBINDING (RFC 2131 section 4.3.2): by broadcast, with the address in ciaddr. The machine must own it.
func (s *swarm) rebind(mac net.HardwareAddr, addr netip.Addr, tries int) (*dhcpv4.DHCPv4, error) {
	m, err := dhcpv4.New(dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), dhcpv4.WithBroadcast(true),
		dhcpv4.WithClientIP(addr.AsSlice()))
	if err != nil {
		return nil, err
	}
	return s.ask(m, tries)
}

// count is how many ACKs came so far.
func (s *swarm) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks
}

// record is a copy of every ACK so far.
func (s *swarm) record() map[string]acked {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]acked, len(s.acked))
	for mac, a := range s.acked {
		out[mac] = a
	}
	return out
}

func swarmMAC(i int) net.HardwareAddr {
	return net.HardwareAddr{0x52, 0x54, 0, 0xaa, byte(i >> 8), byte(i)}
}
