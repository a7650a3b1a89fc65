package dhcpserver

import (
	"context"
	"net/netip"
	"time"

	"labnet/leases"
)

// glance is how often WhoUses looks for an answer.
const glance = 5 * time.Millisecond

// WhoUses asks by ARP who uses addr now, and returns that machine's hardware address, or "" where nobody has answered within 300 ms. It
// is for an operator's question, whatever ConflictProbe says; any goroutine may call it while the server runs. The error is ctx's.
func (s *Server) WhoUses(ctx context.Context, addr netip.Addr) (leases.HWAddr, error) {
	begin := time.Now()
	s.probe.insist(addr, begin)
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for again := false; time.Since(begin) < probeWait; {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-ticker.C:
		}
		if mac, ok := s.probe.heardSince(addr, begin); ok {
			return mac, nil
		}
		if now := time.Now(); !again && now.Sub(begin) >= probeAgain {
			s.probe.insist(addr, now)
			again = true
		}
	}
	return "", nil
}

// insist asks everybody for addr, also where that was asked a moment ago: who is there now may not have been then.
func (p *prober) insist(addr netip.Addr, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.since(now)
	if q := p.ask(addr, broadcastMAC, at); q != nil && q.asked < at {
		q.to = broadcastMAC
		p.unsent = append(p.unsent, q)
		p.poke()
	}
}

// heardSince returns the machine that was heard using addr after begin.
func (p *prober) heardSince(addr netip.Addr, begin time.Time) (leases.HWAddr, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.users.get(numberOf(addr))
	if !ok || u.mac == [6]byte{} || u.heard < p.since(begin) {
		return "", false
	}
	return leases.HWAddr(u.mac[:]), true
}
