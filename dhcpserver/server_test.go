package dhcpserver

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"labnet/internal/nettest"
	"labnet/leases"
)

func TestDecisionsOverSockets(t *testing.T) {
	for _, r := range allRows() {
		if r.slow {
			continue // time is only fake without sockets
		}
		t.Run(r.name, func(t *testing.T) {
			l := newLab(t, func(c *Config) {
				if r.config != nil {
					r.config(c)
				}
			}, withMarker(r.network))
			// A rebinding client has its address, and answers ARP for it.
			for _, host := range []string{"120", "130"} {
				l.client.claim("10.0.0."+host, macA)
			}
			r.play(&play{t: t, world: l})
		})
	}
}

func TestBroadcastFlag(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	p := play{t: t, world: l}
	q := discover(macA, "10.0.0.120")
	q.flags = flagBroadcast
	if a := p.answered(q, typeOffer, ReasonOfferRequested); a.flags != flagBroadcast {
		t.Errorf("flags %#x", a.flags)
	}
	q = selecting(macA, "10.0.0.120")
	q.flags = flagBroadcast
	p.answered(q, typeAck, ReasonAckSelecting)
}

func TestARelayGetsItsOptionBack(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	p := play{t: t, world: l}
	agent := opt(optRelayAgent, 1, 4, 'p', 'o', 'r', 't', 2, 2, 0, 255)
	for _, q := range []request{
		with(discover(macA, "10.0.0.120"), agent), with(selecting(macA, "10.0.0.120"), agent), with(initReboot(macA, "192.0.2.9"), agent),
	} {
		q.giaddr, q.hops = "10.0.0.9", 1
		l.client.claim("10.0.0.9", string(mac6(q)))
		a, _ := p.exchange(t, q, "10.0.0.9")
		if a == nil {
			t.Fatalf("no answer to type %d", q.kind)
		}
		if !bytes.Equal(a.get(optRelayAgent), agent.Data) || a.codes[len(a.codes)-1] != optRelayAgent {
			t.Errorf("type %d: option 82 is %x, the order %v", a.kind, a.get(optRelayAgent), a.codes)
		}
		if a.kind == typeNak && a.flags&flagBroadcast == 0 {
			t.Error("a NAK for a relay without the broadcast flag")
		}
	}
}

func mac6(q request) []byte { return []byte(q.mac) }

// TestManyClientsAtOnce gives the whole pool away in bursts: everyone gets an address, and nobody another's.
func TestManyClientsAtOnce(t *testing.T) {
	l := newLab(t, nil, nil)
	const n = 100
	mac := func(i uint32) string { return benchMAC(0x10000 + int(i)) }
	owner := make(map[netip.Addr]uint32)
	collect := func(kind messageType, each func(a answer)) {
		t.Helper()
		for range n {
			h, err := l.client.next(patience)
			if err != nil {
				t.Fatalf("%v\n%s", err, l.log)
			}
			a := readAnswer(t, h.payload)
			if a.kind != kind || h.dstMAC != [6]byte([]byte(mac(a.xid))) {
				t.Fatalf("heard type %d for %x", a.kind, h.dstMAC)
			}
			each(a)
		}
	}
	for i := range uint32(n) {
		q := discover(mac(i), "")
		q.xid = i
		l.client.send(q, broadcastFrom)
	}
	collect(typeOffer, func(a answer) {
		if other, taken := owner[a.yiaddr]; taken {
			t.Errorf("%v is offered to %d and %d", a.yiaddr, other, a.xid)
		}
		owner[a.yiaddr] = a.xid
	})
	for addr, i := range owner {
		q := selecting(mac(i), addr.String())
		q.xid = i
		l.client.send(q, broadcastFrom)
	}
	collect(typeAck, func(a answer) {
		if owner[a.yiaddr] != a.xid {
			t.Errorf("%v is acknowledged to %d and was offered to %d", a.yiaddr, a.xid, owner[a.yiaddr])
		}
	})
	if got := len(l.table.Leases("lab")); got != n {
		t.Errorf("%d leases", got)
	}
}

// TestTooManyWaitForTheDisk: then nothing more is promised, and what needs no disk is still served.
func TestTooManyWaitForTheDisk(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	l.bindMarker(t)
	l.server.underway.Add(maxUnderway)
	l.client.send(selecting(macA, "10.0.0.120"), broadcastFrom)
	nettest.Eventually(t, patience, func() error {
		if l.server.Stats()[string(ReasonOverload)] != 1 {
			return errors.New("no overload counted")
		}
		return nil
	})
	l.client.send(discover(markerMAC, ""), broadcastFrom)
	h, err := l.client.next(patience)
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, h.payload); a.kind != typeOffer {
		t.Errorf("a known client's DISCOVER gets type %d", a.kind)
	}
	nettest.Eventually(t, patience, func() error { // it is counted after it is sent
		if l.server.Stats()[string(ReasonOfferReservation)] != 1 {
			return errors.New("the OFFER isn't counted")
		}
		return nil
	})
	l.server.underway.Add(-maxUnderway)
	nettest.Eventually(t, patience, func() error {
		if l.server.Stats()[string(ReasonOfferReservation)] != 1 {
			return errors.New("the OFFER isn't counted")
		}
		return nil
	})
	(&play{t: t, world: l}).answered(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting)
}

func TestRunLeavesNothingBehind(t *testing.T) {
	h := nettest.NewHost(t, "router")
	bridge(t, h, "br0", "10.0.0.1/24")
	table := newTable(t, leases.NewMemory(), nil)
	runTable(t, table)
	before := goleak.IgnoreCurrent()
	for range 3 {
		_, stop := serve(t, h, testConfig(), table, new(logBuffer))
		stop()
	}
	goleak.VerifyNone(t, before)
	if out, err := h.Try("sh", "-c", "ss -Hln -A inet,packet | grep ."); err == nil {
		t.Errorf("sockets are left:\n%s", out)
	}
}

func TestTwoClientsRaceForOneAddress(t *testing.T) {
	l := newLab(t, nil, oneAddress)
	macs := []string{macA, macB, "\x52\x54\x00\x00\x00\x0c", "\x52\x54\x00\x00\x00\x0d"}
	for i, mac := range macs {
		q := selecting(mac, "10.0.0.100")
		q.xid = uint32(i)
		l.client.send(q, broadcastFrom)
	}
	acks, naks := 0, 0
	for range macs {
		h, err := l.client.next(patience)
		if err != nil {
			t.Fatal(err)
		}
		switch readAnswer(t, h.payload).kind {
		case typeAck:
			acks++
		case typeNak:
			naks++
		}
	}
	if acks != 1 || naks != len(macs)-1 {
		t.Errorf("%d ACKs and %d NAKs", acks, naks)
	}
}

func TestGarbageDoesNotStopTheServer(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	to := destination{to: netip.AddrPortFrom(broadcastAddr, serverPort), mac: broadcastMAC}
	for _, b := range seeds() {
		if len(b) > 1400 {
			continue
		}
		l.client.transmit(clientFrame(b, to, [6]byte([]byte(testMAC)), netip.IPv4Unspecified(), clientPort))
	}
	m := selecting(markerMAC, "10.0.0.51")
	m.xid = 0xfeedface
	l.client.send(m, broadcastFrom)
	for {
		h, err := l.client.next(patience)
		if err != nil {
			t.Fatalf("%v\n%s", err, l.log)
		}
		if a := readAnswer(t, h.payload); a.xid == m.xid {
			break
		}
	}
	if n := l.server.Stats()[string(ReasonPanic)]; n != 0 {
		t.Errorf("%d panics\n%s", n, l.log)
	}
	for line := range strings.Lines(l.log.String()) {
		if strings.ContainsAny(strings.TrimRight(line, "\n"), "\x00\x1b\r") || len(line) > 2000 {
			t.Errorf("a log line that isn't harmless: %q", line)
		}
	}
}

func TestAPanicIsSurvived(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	// A settings without profile is a bug of ours.
	broken := *l.server.settings.Load()
	good := broken
	broken.base = nil
	l.server.settings.Store(&broken)
	l.client.send(selecting(macA, "10.0.0.120"), broadcastFrom)
	nettest.Eventually(t, patience, func() error {
		if l.server.Stats()[string(ReasonPanic)] != 1 {
			return errors.New("no panic counted")
		}
		return nil
	})
	l.server.settings.Store(&good)
	(&play{t: t, world: l}).answered(initReboot(macA, "10.0.0.120"), typeAck, ReasonAckAdopted)
	if text := l.log.String(); !strings.Contains(text, "this is a bug") || !strings.Contains(text, "stack=") {
		t.Errorf("the log doesn't say so:\n%s", text)
	}
}

func TestNoAckWithoutDurability(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	p := play{t: t, world: l}
	p.lease(macA, "10.0.0.120")

	l.store.FailWith(func([]leases.Lease) error { return errors.New("no space left on device") })
	fresh := selecting(macB, "10.0.0.130")
	fresh.xid = 1
	l.client.send(fresh, broadcastFrom)
	again := renew(macA, "10.0.0.120")
	again.xid = 2
	l.client.send(again, "10.0.0.120")
	h, err := l.client.next(patience)
	if err != nil {
		t.Fatalf("the renewal gets no answer: %v\n%s", err, l.log)
	}
	a := readAnswer(t, h.payload)
	if a.xid != 2 || a.kind != typeAck {
		t.Fatalf("answer %+v to a lease that isn't durable", a)
	}
	if left, t1, t2 := a.seconds(51), a.seconds(58), a.seconds(59); left == 0 || left > 3600 || t1 >= t2 || t2 > left {
		t.Errorf("times %d, %d, %d", left, t1, t2)
	}
	nettest.Eventually(t, patience, func() error {
		s := l.server.Stats()
		if s["ack_durable"] != 1 || s["commit_failed"] != 1 {
			return fmt.Errorf("ack_durable %d, commit_failed %d", s["ack_durable"], s["commit_failed"])
		}
		return nil
	})
	l.store.FailWith(nil)
	p.address(p.answered(selecting(macB, "10.0.0.130"), typeAck, ReasonAckSelecting), "10.0.0.130")
	if strings.Count(l.log.String(), "xid=00000001") != 1 {
		t.Errorf("the client that got no answer is not in the log once:\n%s", l.log)
	}
}

// TestOffersDoNotWaitForTheDisk holds a commit and sees that others are served meanwhile.
func TestOffersDoNotWaitForTheDisk(t *testing.T) {
	l := newLab(t, nil, nil)
	hold, entered := make(chan struct{}), make(chan struct{}, 16)
	l.store.FailWith(func([]leases.Lease) error { entered <- struct{}{}; <-hold; return nil })
	q := selecting(macA, "10.0.0.120")
	q.xid = 1
	l.client.send(q, broadcastFrom)
	<-entered
	for i := range 3 {
		q := discover(macB, "")
		q.xid = uint32(10 + i)
		l.client.send(q, broadcastFrom)
		h, err := l.client.next(patience)
		if err != nil {
			t.Fatal(err)
		}
		if a := readAnswer(t, h.payload); a.kind != typeOffer || a.xid != q.xid {
			t.Fatalf("heard %+v", a)
		}
	}
	close(hold)
	h, err := l.client.next(patience)
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, h.payload); a.kind != typeAck || a.xid != 1 {
		t.Fatalf("heard %+v", a)
	}
}

func TestRunAnswersWhatIsUnderWayBeforeItEnds(t *testing.T) {
	l := newLab(t, nil, nil)
	hold, entered := make(chan struct{}), make(chan struct{}, 16)
	l.store.FailWith(func([]leases.Lease) error { entered <- struct{}{}; <-hold; return nil })
	l.client.send(selecting(macA, "10.0.0.120"), broadcastFrom)
	<-entered
	ended := make(chan struct{})
	go func() { l.stop(); close(ended) }()
	nettest.Eventually(t, patience, func() error {
		select {
		case <-l.server.stopping:
			return nil
		default:
			return errors.New("not stopping yet")
		}
	})
	close(hold)
	<-ended
	h, err := l.client.next(patience)
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, h.payload); a.kind != typeAck {
		t.Fatalf("heard %+v", a)
	}
	if _, err := l.router.Try("sh", "-c", "! ss -Hlnu 'sport = :67' | grep -q ."); err != nil {
		t.Error("port 67 is still open")
	}
}

func TestReconfigure(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	p := play{t: t, world: l}
	p.lease(macA, "10.0.0.120")
	cfg := testConfig()
	cfg.LeaseTime, cfg.Options = 2*time.Hour, []Option{optIP(6, "192.0.2.53")}
	if err := l.server.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	a := p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeAck, ReasonAckRenew)
	if a.seconds(51) != 7200 || string(a.get(6)) != "\xc0\x00\x02\x35" || a.get(3) != nil {
		t.Errorf("after the change: lease time %d, options %v", a.seconds(51), a.codes)
	}
	for _, bad := range []func(*Config){
		func(c *Config) { c.Interface = "br1" }, func(c *Config) { c.Network = "other" }, func(c *Config) { c.LeaseTime = 0 },
	} {
		cfg := testConfig()
		bad(&cfg)
		if err := l.server.Reconfigure(cfg); err == nil {
			t.Errorf("accepted: %+v", cfg)
		}
	}
	if a := p.answered(initReboot(macA, "10.0.0.120"), typeAck, ReasonAckInitReboot); a.seconds(51) != 7200 {
		t.Error("a refused configuration has changed something")
	}
}

func TestALinkMadeAnewIsServed(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	(&play{t: t, world: l}).lease(macA, "10.0.0.120")
	l.router.Run(t, "ip", "link", "del", "br0")
	bridge(t, l.router, "br0", "10.0.0.1/24")
	l.router.Run(t, "ip", "link", "set", "tap0", "master", "br0")
	nettest.Eventually(t, patience, func() error {
		if l.server.Stats()[string(ReasonLinkReplaced)] != 1 {
			return errors.New("the server hasn't noticed")
		}
		return nil
	})
	p := play{t: t, world: l}
	p.answered(discover(macA, ""), typeOffer, ReasonOfferBinding)
	p.answeredFrom(renew(macA, "10.0.0.120"), "10.0.0.120", typeAck, ReasonAckRenew)
}

func TestAnotherLinkIsNotServed(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	other := nettest.NewHost(t, "other")
	bridge(t, l.router, "br1", "10.9.0.1/24")
	plug(t, l.router, "br1", "tap1", other, "eth0")
	stranger := newRawClient(t, other, "eth0", macOf(t, l.router, "br1"))
	stranger.send(discover(macB, ""), broadcastFrom)
	stranger.send(request{kind: typeInform, mac: macB, ciaddr: "10.0.0.30"}, broadcastFrom)
	// The server is proven to have had the time.
	p := play{t: t, world: l}
	p.lease(macA, "10.0.0.120")
	select {
	case h := <-stranger.received:
		t.Errorf("an answer on another link: %+v", h)
	default:
	}
}
