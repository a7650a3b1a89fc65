package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
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
	over <-chan struct{} // closed: nobody answers any more; set while nobody asks

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

// enter writes down what a reply grants, or takes back. mu is held.
func (s *swarm) enter(reply *dhcpv4.DHCPv4) {
	mac := reply.ClientHWAddr.String()
	asked, ours := s.asked[mac][reply.TransactionID]
	if !ours {
		return // the answer to what it asked before it gave the address back
	}
	held, holds := s.acked[mac]
	switch reply.MessageType() {
	case dhcpv4.MessageTypeAck:
		addr, _ := netip.AddrFromSlice(reply.YourIPAddr.To4())
		if owner, taken := s.owners[addr]; taken && owner != mac && time.Now().Before(s.acked[owner].until) {
			s.breaches = append(s.breaches, fmt.Sprintf("%v is %s's, and was given to %s", addr, owner, mac))
		}
		if holds {
			delete(s.owners, held.addr)
		}
		s.acked[mac] = acked{addr, asked.Add(reply.IPAddressLeaseTime(0))}
		s.owners[addr] = mac
		s.acks++
	case dhcpv4.MessageTypeNak:
		if holds {
			s.breaches = append(s.breaches, fmt.Sprintf("%s has %v, and is refused: %s", mac, held.addr, reply.Message()))
		}
	}
}

// giveBack strikes out what a client has, before it says so to the server: from then on anybody may have it.
func (s *swarm) giveBack(mac net.HardwareAddr) (acked, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, holds := s.acked[mac.String()]
	if holds {
		delete(s.acked, mac.String())
		delete(s.asked, mac.String())
		delete(s.owners, held.addr)
	}
	return held, holds
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

// holds is what a client has.
func (s *swarm) holds(mac net.HardwareAddr) (acked, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.acked[mac.String()]
	return held, ok
}

// count is how many ACKs came so far.
func (s *swarm) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks
}

// record is who has which address now, by the ACKs so far and what was given back.
func (s *swarm) record() map[string]acked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.acked)
}

// broken returns what was promised and not kept, as far as replies show it.
func (s *swarm) broken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.breaches)
}

func swarmMAC(i int) net.HardwareAddr {
	return net.HardwareAddr{0x52, 0x54, 0, 0xaa, byte(i >> 8), byte(i)}
}
