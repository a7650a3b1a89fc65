package dhcpserver

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"labnet/leases"
)

// air is a link on paper: machines that answer ARP, a millisecond after they are asked.
type air struct {
	probe *prober
	wg    sync.WaitGroup

	mu      sync.Mutex
	answers map[netip.Addr]string // guarded by mu: the hardware address that answers
	all     string                // guarded by mu: answers for every other address, "" for nobody
	asked   map[netip.Addr]int    // guarded by mu
	down    bool                  // guarded by mu
}

func (a *air) send(addr netip.Addr, to [6]byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down {
		return errors.New("network is down")
	}
	a.asked[addr]++
	mac := a.answers[addr]
	if mac == "" {
		mac = a.all
	}
	if mac == "" || to != broadcastMAC && string(to[:]) != mac {
		return nil
	}
	a.wg.Go(func() {
		time.Sleep(time.Millisecond)
		a.probe.hear(sighting{mac: [6]byte([]byte(mac)), addr: addr, answer: true}, true, time.Now())
	})
	return nil
}

func (a *air) set(addr, mac string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[netip.MustParseAddr(addr)] = mac
}

func (a *air) timesAsked(addr string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[netip.MustParseAddr(addr)]
}

// outcome is what became of a message.
type outcome struct {
	xid    uint32
	kind   messageType // 0: no answer
	reason Reason
	addr   netip.Addr
	at     time.Time
}

// station is a server without sockets whose addresses are probed. Tests use it in fake time.
type station struct {
	t        testing.TB
	table    *leases.Table
	settings *settings
	air      *air
	probe    *prober

	mu        sync.Mutex // guards what follows
	live      decider
	replaying decider
	outcomes  []outcome
	conflicts []conflict
	ignored   []conflict
	skipped   int
	clones    int
	xid       uint32
}

func newStation(t testing.TB, config func(*Config), network func(*leases.Network)) *station {
	t.Helper()
	x := &station{t: t, table: newTable(t, leases.NewMemory(), network)}
	runTable(t, x.table)
	x.settings = testSettings(t, func(c *Config) {
		c.ConflictProbe = true
		if config != nil {
			config(c)
		}
	})
	x.air = &air{answers: make(map[netip.Addr]string), asked: make(map[netip.Addr]int)}
	x.probe = newProber(x.air.send)
	x.air.probe = x.probe
	for _, d := range []*decider{&x.live, &x.replaying} {
		*d = decider{table: x.table, probe: x.probe, newcomers: 1 << 30, cloned: func(leases.Client, leases.Lease) { x.clones++ }}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		x.probe.run(stop, x.replay, func(error) {})
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		x.air.wg.Wait()
	})
	return x
}

func (x *station) replay(messages []*parked) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, m := range messages {
		x.replaying.waited, x.replaying.settled = m.wait, m.settled
		x.decide(&x.replaying, datagram{data: m.data, from: m.from, broadcast: m.broadcast})
	}
}

func (x *station) decide(d *decider, in datagram) {
	var m message
	if r := m.parse(in.data); r != "" {
		x.t.Errorf("not parsed: %s", r)
		return
	}
	now := time.Now()
	out := d.decide(x.settings, &m, x.settings.classify(&m, in.from, in.broadcast), now)
	if out.wait.addr.IsValid() {
		x.probe.park(out.client, in, out.wait, now)
	}
	changes := []leases.Change{}
	for _, c := range d.conflicts {
		changes = append(changes, c.change)
	}
	if out.pending {
		changes = append(changes, out.change)
	}
	if len(changes) > 0 {
		x.table.Submit(changes, nil)
	}
	x.conflicts = append(x.conflicts, d.conflicts...)
	x.ignored = append(x.ignored, d.ignored...)
	x.skipped += d.skipped
	d.conflicts, d.ignored, d.skipped = nil, nil, 0
	if out.reason == ReasonProbing {
		return
	}
	kind := map[replyKind]messageType{replyOffer: typeOffer, replyAck: typeAck, replyNak: typeNak}[out.reply]
	x.outcomes = append(x.outcomes, outcome{m.xid, kind, out.reason, out.addr, now})
}

// send sends a message and returns its transaction.
func (x *station) send(q request) uint32 {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.xid++
	q.xid = x.xid
	x.decide(&x.live, datagram{data: q.bytes(), broadcast: true, from: netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort)})
	return q.xid
}

// found returns what became of a transaction.
func (x *station) found(xid uint32) (outcome, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, o := range x.outcomes {
		if o.xid == xid {
			return o, true
		}
	}
	return outcome{}, false
}

// exchange sends a message, waits for what becomes of it, and says how long that took.
func (x *station) exchange(q request) (outcome, time.Duration) {
	x.t.Helper()
	start := time.Now()
	xid := x.send(q)
	for range 10_000 {
		if o, ok := x.found(xid); ok {
			return o, o.at.Sub(start)
		}
		time.Sleep(time.Millisecond)
	}
	x.t.Fatalf("no decision about %+v", q)
	return outcome{}, 0
}

// want exchanges, and checks kind, reason, address (if there is one) and how long it took, to the millisecond.
func (x *station) want(q request, kind messageType, reason Reason, addr string, took time.Duration) outcome {
	x.t.Helper()
	o, after := x.exchange(q)
	if o.kind != kind || o.reason != reason {
		x.t.Fatalf("answer of type %d (%s), want %d (%s)", o.kind, o.reason, kind, reason)
	}
	if addr != "" && o.addr.String() != addr {
		x.t.Errorf("%s: address %v, want %s", o.reason, o.addr, addr)
	}
	if after < took || after > took+5*time.Millisecond {
		x.t.Errorf("%s: answered after %v, want %v", o.reason, after, took)
	}
	return o
}

// know lets the station find out about addresses beforehand, as the sweep does.
func (x *station) know(addrs ...netip.Addr) {
	for _, a := range addrs {
		if x.probe.stale(a, time.Now()) {
			x.probe.askBeside(a, time.Now())
			time.Sleep(sweepPace)
		}
	}
	time.Sleep(probeWait + time.Millisecond)
}

// knowAll is a whole sweep.
func (x *station) knowAll() { x.know(x.table.Candidates(nil, "lab", sweepNext, time.Now())...) }
