package e2e

import (
	"errors"
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
// receives, and what the clients give back.
type swarm struct {
	conn net.PacketConn
	// Both are set while nobody asks.
	over  <-chan struct{} // closed: nobody answers any more
	ahead time.Duration   // of the server's clock

	mu       sync.Mutex // guards what follows
	waiting  map[dhcpv4.TransactionID]chan *dhcpv4.DHCPv4
	asked    map[string]map[dhcpv4.TransactionID]time.Time // by MAC: when, since it last gave something back
	acked    map[string]acked                              // by MAC
	owners   map[netip.Addr]string                         // MACs
	breaches []string                                      // of what was promised
	acks     int
}

// acked is what the last ACK granted. RFC 2131 section 4.4.1: the time counts from the sending of the request.
type acked struct {
	addr  netip.Addr
	until time.Time
}

var errOver = errors.New("nobody answers any more")

// newSwarm opens the link in the guest's namespace and starts reading.
func newSwarm(t *testing.T, h *nettest.Host) *swarm {
	t.Helper()
	s := &swarm{
		waiting: map[dhcpv4.TransactionID]chan *dhcpv4.DHCPv4{}, asked: map[string]map[dhcpv4.TransactionID]time.Time{},
		acked: map[string]acked{}, owners: map[netip.Addr]string{},
	}
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
		s.enter(reply)
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
	mac := m.ClientHWAddr.String()
	if s.asked[mac] == nil {
		s.asked[mac] = map[dhcpv4.TransactionID]time.Time{}
	}
	s.asked[mac][m.TransactionID] = time.Now()
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
		case <-s.over:
			return nil, errOver
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

// reboot is INIT-REBOOT (RFC 2131 section 4.3.2): by broadcast, with the address in option 50.
func (s *swarm) reboot(mac net.HardwareAddr, addr netip.Addr, tries int) (*dhcpv4.DHCPv4, error) {
	m, err := dhcpv4.New(dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), dhcpv4.WithBroadcast(true),
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(addr.AsSlice())))
	if err != nil {
		return nil, err
	}
	return s.ask(m, tries)
}

// release gives a client's address back (RFC 2131 section 4.4.6), by broadcast since the machine may not own it.
func (s *swarm) release(mac net.HardwareAddr, server netip.Addr) error {
	return s.part(mac, server, dhcpv4.MessageTypeRelease, func(m *dhcpv4.DHCPv4, addr netip.Addr) { m.ClientIPAddr = addr.AsSlice() })
}

// decline says that somebody else uses a client's address.
func (s *swarm) decline(mac net.HardwareAddr, server netip.Addr) error {
	return s.part(mac, server, dhcpv4.MessageTypeDecline, func(m *dhcpv4.DHCPv4, addr netip.Addr) {
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(addr.AsSlice()))
	})
}

// part sends a message that nobody answers.
func (s *swarm) part(mac net.HardwareAddr, server netip.Addr, kind dhcpv4.MessageType, from func(*dhcpv4.DHCPv4, netip.Addr)) error {
	held, holds := s.giveBack(mac)
	if !holds {
		return nil
	}
	m, err := dhcpv4.New(dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(kind), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server.AsSlice())))
	if err != nil {
		return err
	}
	from(m, held.addr)
	_, err = s.conn.WriteTo(m.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 67})
	return err
}

// all does something for the clients from one number up to another one at the same time.
func (s *swarm) all(from, to int, do func(i int)) {
	var running sync.WaitGroup
	for i := from; i < to; i++ {
		running.Go(func() { do(i) })
	}
	running.Wait()
}

func swarmMAC(i int) net.HardwareAddr {
	return net.HardwareAddr{0x52, 0x54, 0, 0xaa, byte(i >> 8), byte(i)}
}
