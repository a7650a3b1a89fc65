package dhcpserver

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"labnet/leases"
)

// The stock of addresses that are known to be free: so many a second are asked for, those that newcomers are likely to be
// offered, looked over so often, and anew renewTime before what is known of them is over, or usedTime after somebody was heard.
const (
	sweepPace     = 4 * time.Millisecond
	sweepInterval = 5 * time.Second
	sweepNext     = 256
	renewTime     = 2 * time.Minute
	usedTime      = time.Minute
)

// sweep keeps the stock until the server stops.
func (s *Server) sweep() {
	var list []netip.Addr
	for {
		cfg := s.settings.Load().cfg
		if cfg.ConflictProbe {
			list = s.table.Candidates(list[:0], cfg.Network, sweepNext, time.Now())
		} else {
			list = list[:0]
		}
		for _, addr := range list {
			now := time.Now()
			if !s.probe.stale(addr, now) {
				continue
			}
			s.probe.askBeside(addr, now)
			if s.pause(sweepPace) {
				return
			}
		}
		if s.pause(sweepInterval) {
			return
		}
	}
}

// askBeside asks for addr where nobody waits for the answer.
func (p *prober) askBeside(addr netip.Addr, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ask(addr, broadcastMAC, p.since(now))
}

// newReplayer returns what decides parked messages. It belongs to one goroutine.
func (s *Server) newReplayer() (*receiver, error) {
	r := &receiver{s: s}
	r.decider = decider{table: s.table, probe: s.probe, cloned: r.cloned}
	var err error
	r.transmit, err = newTransmitter(s.sockets, &s.traffic.replayed)
	return r, err
}

// replay decides messages that have waited for ARP.
func (r *receiver) replay(messages []*parked) {
	r.now = time.Now()
	settings := r.s.settings.Load()
	r.decider.newcomers = len(messages) // each was let in before
	r.pending = r.s.pools.batch()
	for _, x := range messages {
		r.decider.waited, r.decider.settled = x.wait, x.settled
		r.serve(settings, datagram{data: x.data, from: x.from, broadcast: x.broadcast})
	}
	r.flush()
}

// probeFailed notes that the kernel doesn't take probes.
func (s *Server) probeFailed(err error) {
	s.counters.add(ReasonSendFailed, 1)
	s.journal.event(ReasonSendFailed, time.Now(), "ARP probes could not be sent", slog.String("err", err.Error()))
}

// noteConflicts reports and submits the conflicts that decisions have come upon.
func (r *receiver) noteConflicts() {
	d := &r.decider
	if d.skipped > 0 {
		r.s.counters.add(ReasonProbeSkipped, d.skipped)
		d.skipped = 0
	}
	for _, c := range d.ignored {
		r.s.counters.add(ReasonConflictIgnored, 1)
		r.s.traceConflict(c, ReasonConflictIgnored, r.now)
		r.s.crowded(c, r.now)
	}
	d.ignored = d.ignored[:0]
	if len(d.conflicts) == 0 {
		return
	}
	changes := make([]leases.Change, 0, len(d.conflicts))
	for _, c := range d.conflicts {
		changes = append(changes, c.change)
		r.s.counters.add(ReasonConflict, 1)
		r.s.traceConflict(c, ReasonConflict, r.now)
		if c.full {
			r.s.crowded(c, r.now)
			continue
		}
		r.s.journal.event(ReasonConflict, r.now, "another machine uses an address of the pool: it is not given out for now",
			slog.String("addr", addrText(c.addr)), slog.String("other", hardwareText(c.by)),
			slog.String("client", hardwareText(c.client.HWAddr)), slog.Time("rests_until", c.change.Lease.Expiry))
	}
	clear(d.conflicts)
	d.conflicts = d.conflicts[:0]
	s, now := r.s, r.now
	s.table.Submit(changes, func(err error) {
		if err != nil {
			s.journal.event(ReasonCommitFailed, now, "addresses that others use could not be stored", slog.String("err", err.Error()))
		}
	})
}

// crowded warns, now and then, that so many addresses are in use by others that conflicts no longer count.
func (s *Server) crowded(c conflict, now time.Time) {
	if !s.crowds.first(struct{}{}, now) {
		return
	}
	s.journal.event(ReasonConflictIgnored, now,
		"too many addresses of the pool are in use by machines that don't lease them: others are offered although somebody answers for them",
		slog.String("other", hardwareText(c.by)), slog.String("addr", addrText(c.addr)))
}

// listenARP hears who uses which address, until the sockets are interrupted.
func (s *Server) listenARP() {
	var frame [128]byte
	for {
		n, err := s.sockets.ear.Read(frame[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
			return
		case err != nil: // the link is down or gone; it may come back
			if s.pause(receivePause) {
				return
			}
			continue
		}
		s.hearARP(frame[:n], time.Now())
	}
}

func (s *Server) hearARP(frame []byte, now time.Time) {
	seen, ok := readARP(frame)
	settings := s.settings.Load()
	link := s.sockets.link.Load()
	if ok && settings.isHost(seen.addr) && seen.mac != link.mac {
		s.probe.hear(seen, seen.to == link.mac, now)
	}
}
