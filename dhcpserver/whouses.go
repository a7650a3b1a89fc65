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
	s.probe.askBeside(addr, begin)
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for time.Since(begin) < probeWait {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-ticker.C:
		}
		if mac, ok := s.probe.heardSince(addr, begin); ok {
			return mac, nil
		}
	}
	return "", nil
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
