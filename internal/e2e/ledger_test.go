package e2e

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

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
		s.acked[mac] = acked{addr, asked.Add(reply.IPAddressLeaseTime(0) + s.ahead)}
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

// breaches is what leases lack of what clients were granted, and who has what another one has too.
func breaches(leases []lease, granted map[string]acked) (faults []string) {
	found, holder := map[string]lease{}, map[string]string{}
	for _, one := range leases {
		if one.State != "bound" {
			continue
		}
		if other, twice := found[one.MAC]; twice {
			faults = append(faults, fmt.Sprintf("%s has %s and %s", one.MAC, one.Address, other.Address))
		}
		if other, taken := holder[one.Address]; taken {
			faults = append(faults, fmt.Sprintf("%s is held by %s and %s", one.Address, other, one.MAC))
		}
		found[one.MAC], holder[one.Address] = one, one.MAC
	}
	for mac, promise := range granted {
		one, ok := found[mac]
		switch {
		case !ok:
			faults = append(faults, fmt.Sprintf("the lease of %s (%v) is lost; its address is had by %q", mac, promise.addr, holder[promise.addr.String()]))
		case one.Address != promise.addr.String():
			faults = append(faults, fmt.Sprintf("%s was granted %v, and has %s", mac, promise.addr, one.Address))
		case one.Expires.Before(promise.until):
			faults = append(faults, fmt.Sprintf("%s was granted %v until %v, and has it until %v", mac, promise.addr, promise.until, one.Expires))
		}
	}
	return faults
}
