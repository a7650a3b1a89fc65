package dhcpserver

import (
	"bytes"
	"net/netip"
	"time"

	"labnet/leases"
)

// waiting is what a message waits for: what ARP says of an address.
type waiting struct {
	addr   netip.Addr // invalid: nothing
	to     [6]byte    // who is asked
	tries  int        // what finding the client another address has cost so far
	chosen Reason     // why the address was to be offered, if it was
}

// parkKey tells one client's message from another's: of a client that asks again only the newest waits.
type parkKey struct {
	id leases.ClientID
	hw leases.HWAddr
}

// parked is a message that waits.
type parked struct {
	data      []byte // a copy
	from      netip.AddrPort
	broadcast bool
	wait      waiting
	settled   bool // nobody has answered
}

// park keeps a message until it is known who uses the address.
func (p *prober) park(c leases.Client, d datagram, w waiting, now time.Time) {
	at, key := p.since(now), parkKey{c.ID, c.HWAddr}
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.ask(w.addr, w.to, at)
	if q == nil {
		return // the client asks again
	}
	switch {
	case w.to != broadcastMAC:
		if !q.urgent {
			q.whose = w.to
		}
	case q.holder:
		q.holder, q.whose = false, [6]byte{} // somebody else wants the address: everybody is asked
	}
	q.urgent = true
	p.parked[key] = &parked{data: bytes.Clone(d.data), from: d.from, broadcast: d.broadcast, wait: w}
	p.poke()
}

// run sends probes and gives messages that have waited long enough to serve, until stop is closed. What still waits then
// is dropped: its clients ask again.
func (p *prober) run(stop <-chan struct{}, serve func([]*parked), failed func(error)) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-p.wake:
		case <-timer.C:
		}
		p.mu.Lock()
		next := p.silence(p.since(time.Now()))
		unsent, ready := p.unsent, p.ready
		p.unsent, p.ready = nil, nil
		p.mu.Unlock()
		p.transmit(unsent, failed)
		if len(ready) > 0 {
			serve(ready)
		}
		if next < 0 {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(max(0, next-p.since(time.Now())))
		}
	}
}

// transmit sends probes.
func (p *prober) transmit(questions []*question, failed func(error)) {
	for _, q := range questions {
		p.mu.Lock()
		to := q.to
		p.mu.Unlock()
		err := p.send(q.addr, to)
		if err != nil {
			failed(err)
			continue
		}
		p.mu.Lock()
		if !q.sent {
			q.sent, q.asked = true, p.since(time.Now())
		}
		p.mu.Unlock()
	}
}
