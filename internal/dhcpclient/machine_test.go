package dhcpclient

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

const (
	address = "192.0.2.10"
	server  = "192.0.2.1"
	other   = "192.0.2.2"
)

var (
	ownMAC    = mac{0x52, 0x54, 0, 0, 0, 1}
	serverMAC = mac{0x52, 0x54, 0, 0, 0, 2}
	otherMAC  = mac{0x52, 0x54, 0, 0, 0, 3}
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// paper is a client on paper: time passes when the test says so, and there is no chance in it.
type paper struct {
	t    *testing.T
	m    *machine
	now  time.Duration
	xids byte
}

func newPaper(t *testing.T, change func(*Config)) *paper {
	t.Helper()
	cfg := Config{Interface: "eth0", ClientID: []byte{1, 2, 3}, Hostname: "host"}
	if change != nil {
		change(&cfg)
	}
	if err := cfg.check(); err != nil {
		t.Fatal(err)
	}
	p := &paper{t: t, now: time.Hour}
	p.m = newMachine(&cfg, slog.New(slog.DiscardHandler), ownMAC)
	p.m.random = func(time.Duration) time.Duration { return 0 }
	p.m.newXID = func() dhcpv4.TransactionID { p.xids++; return dhcpv4.TransactionID{p.xids} }
	return p
}

// told is what the machine has wanted since the last call, a line each.
func (p *paper) told() []string {
	p.t.Helper()
	var all []string
	for _, a := range p.m.out {
		all = append(all, p.describe(a))
	}
	p.m.out = nil
	return all
}

func (p *paper) describe(a action) string {
	p.t.Helper()
	if a.frame == nil {
		text := a.event.Kind.String()
		if a.event.Lease.Addr.IsValid() {
			text += " " + a.event.Lease.Addr.String()
		}
		if a.event.Kind != Lost && a.event.Kind != Unanswered {
			text += " " + a.event.Lease.Lifetime.String()
		}
		return text
	}
	if arp, ok := readARP(a.frame); ok {
		switch {
		case arp.senderIP.IsUnspecified():
			return "probe " + arp.targetIP.String()
		case arp.senderIP == arp.targetIP:
			return "announce " + arp.targetIP.String()
		}
		return fmt.Sprintf("arp %v asks for %v", arp.senderIP, arp.targetIP)
	}
	frame := append([]byte(nil), a.frame...)
	src, dst := netip.AddrFrom4([4]byte(frame[26:])), netip.AddrFrom4([4]byte(frame[30:]))
	frame[37] = clientPort // as if it came to a client, which is what can be read
	frame[40], frame[41] = 0, 0
	d, ok := readDatagram(frame, false)
	if !ok {
		p.t.Fatalf("a broken frame: %x", a.frame)
	}
	m, err := dhcpv4.FromBytes(d.payload)
	if err != nil {
		p.t.Fatal(err)
	}
	if id := m.Options.Get(dhcpv4.OptionClientIdentifier); string(id) != "\x01\x02\x03" {
		p.t.Errorf("client identifier %v", id)
	}
	text := []string{m.MessageType().String(), fmt.Sprint(m.TransactionID[0])}
	if ciaddr := m.ClientIPAddr; !ciaddr.IsUnspecified() {
		text = append(text, "has "+ciaddr.String())
	}
	if want := m.RequestedIPAddress(); want != nil {
		text = append(text, "wants "+want.String())
	}
	if of := m.ServerIdentifier(); of != nil {
		text = append(text, "of "+of.String())
	}
	if dst != broadcastAddr {
		text = append(text, "to "+dst.String()+" at "+net.HardwareAddr(frame[:6]).String())
	}
	if !src.IsUnspecified() {
		text = append(text, "from "+src.String())
	}
	if m.IsBroadcast() {
		text = append(text, "by broadcast")
	}
	if m.NumSeconds != 0 {
		text = append(text, fmt.Sprintf("after %ds", m.NumSeconds))
	}
	return strings.Join(text, " ")
}

// expect compares what the machine wants.
func (p *paper) expect(want ...string) {
	p.t.Helper()
	if diff := cmp.Diff(want, p.told()); diff != "" {
		p.t.Errorf("at %v (-want +got):\n%s", p.now-time.Hour, diff)
	}
}

// wait lets time pass, up to the next deadline that the machine has, which must be then.
func (p *paper) wait(d time.Duration) {
	p.t.Helper()
	if got := p.m.deadline() - p.now; got != d {
		p.t.Fatalf("the next deadline is in %v, not in %v", got, d)
	}
	p.now += d
	p.m.elapsed(p.now)
}

// skip lets time pass in which the machine does nothing.
func (p *paper) skip(d time.Duration) {
	p.now += d
	if p.m.deadline() < p.now {
		p.t.Fatalf("something was due %v ago", p.now-p.m.deadline())
	}
}

// runUntil lets all deadlines pass until a moment from now.
func (p *paper) runUntil(d time.Duration) {
	end := p.now + d
	for p.m.deadline() <= end {
		p.now = max(p.now, p.m.deadline())
		p.m.elapsed(p.now)
	}
	p.now = end
}

// answer gives the machine a message of the server's, with the xid of its last message.
func (p *paper) answer(kind dhcpv4.MessageType, addr string, change ...func(*dhcpv4.DHCPv4)) {
	p.t.Helper()
	m := message(kind, addr, change...)
	m.TransactionID = p.m.xid
	r, err := readReply(m.ToBytes(), ownMAC, p.m.cfg.ClientID)
	if err != nil {
		p.t.Fatal(err)
	}
	r.hop = serverMAC
	p.m.received(p.now, r)
}

// message is one of the server's. A lease is of 1000 s in a /24.
func message(kind dhcpv4.MessageType, addr string, change ...func(*dhcpv4.DHCPv4)) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootReply, HWType: 1, ClientHWAddr: ownMAC[:], Options: make(dhcpv4.Options)}
	m.UpdateOption(dhcpv4.OptMessageType(kind))
	m.UpdateOption(dhcpv4.OptServerIdentifier(net.ParseIP(server)))
	if kind != dhcpv4.MessageTypeNak {
		m.YourIPAddr = net.ParseIP(addr)
		m.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(24, 32)))
		m.UpdateOption(dhcpv4.OptIPAddressLeaseTime(1000 * time.Second))
	}
	for _, f := range change {
		f(m)
	}
	return m
}

func set(code uint8, data ...byte) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) { m.Options[code] = data }
}

// lease brings the client to BOUND, from its first message on.
func (p *paper) lease() {
	p.t.Helper()
	p.m.start(p.now, true)
	p.expect("DISCOVER 1")
	p.answer(dhcpv4.MessageTypeOffer, address)
	p.expect("REQUEST 1 wants 192.0.2.10 of 192.0.2.1")
	p.answer(dhcpv4.MessageTypeAck, address)
	p.expect()
	p.wait(0)
	p.expect("probe 192.0.2.10")
	p.wait(time.Second)
	p.expect("probe 192.0.2.10")
	p.wait(time.Second)
	p.expect("probe 192.0.2.10")
	p.wait(2 * time.Second)
	p.expect("bound 192.0.2.10/24 16m36s", "announce 192.0.2.10")
	p.wait(2 * time.Second)
	p.expect("announce 192.0.2.10")
}

func TestLeaseIsRenewedReboundAndLost(t *testing.T) {
	p := newPaper(t, nil)
	p.lease() // 6 s
	p.wait(494 * time.Second)
	p.expect("arp 192.0.2.10 asks for 192.0.2.1")
	p.wait(time.Second)
	p.expect("REQUEST 2 has 192.0.2.10 to 192.0.2.1 at 52:54:00:00:00:02 from 192.0.2.10")
	p.answer(dhcpv4.MessageTypeAck, address)
	p.expect("renewed 192.0.2.10/24 16m39s")

	// From here on the server is silent.
	p.wait(499 * time.Second)
	p.expect("arp 192.0.2.10 asks for 192.0.2.1")
	p.m.heard(p.now, arpPacket{arpReply, otherMAC, ip(server), ip(address)})
	p.expect("REQUEST 3 has 192.0.2.10 to 192.0.2.1 at 52:54:00:00:00:03 from 192.0.2.10")
	p.wait(187500 * time.Millisecond) // half of what is left until T2
	p.expect("arp 192.0.2.10 asks for 192.0.2.1")
	p.runUntil(187499 * time.Millisecond)
	p.told()
	p.wait(time.Millisecond)
	p.expect("unanswered 192.0.2.10/24", "REQUEST 7 has 192.0.2.10 from 192.0.2.10")
	p.wait(62500 * time.Millisecond)
	p.expect("REQUEST 8 has 192.0.2.10 from 192.0.2.10")
	p.wait(time.Minute) // not half of what is left
	p.expect("REQUEST 9 has 192.0.2.10 from 192.0.2.10")
	p.wait(2500 * time.Millisecond)
	p.expect("lost 192.0.2.10/24", "DISCOVER 10 wants 192.0.2.10")
}

func TestAnotherServerProlongs(t *testing.T) {
	p := newPaper(t, nil)
	p.lease()
	p.runUntil(870 * time.Second)
	p.told()
	p.answer(dhcpv4.MessageTypeAck, address, set(54, 192, 0, 2, 2), set(3, 192, 0, 2, 2))
	p.expect("changed 192.0.2.10/24 16m39s")
	if l := p.m.present(p.now); l.Server != ip(other) || len(l.Routes) != 1 || l.Routes[0].Via != ip(other) {
		t.Errorf("the lease is %+v", l)
	}
}

func TestNobodyAnswers(t *testing.T) {
	p := newPaper(t, nil)
	p.m.start(p.now, true)
	p.expect("DISCOVER 1")
	p.wait(3 * time.Second) // 4 s, less a second at most
	p.expect("DISCOVER 1 after 3s")
	p.wait(7 * time.Second)
	p.expect("unanswered", "DISCOVER 1 by broadcast after 10s")
	p.wait(15 * time.Second)
	p.wait(31 * time.Second)
	p.wait(63 * time.Second)
	p.wait(63 * time.Second)
	p.told()
	// Who comes late is heard.
	p.answer(dhcpv4.MessageTypeOffer, address)
	p.expect("REQUEST 1 wants 192.0.2.10 of 192.0.2.1 after 182s")
	p.answer(dhcpv4.MessageTypeAck, address)
	if p.m.state != checking {
		t.Errorf("state %d", p.m.state)
	}
}

func TestOfferIsNotKept(t *testing.T) {
	p := newPaper(t, nil)
	p.m.start(p.now, true)
	p.answer(dhcpv4.MessageTypeOffer, address)
	p.told()
	for range requestTries {
		p.m.elapsed(p.m.deadline())
	}
	all := p.told()
	if last := all[len(all)-1]; !strings.HasPrefix(last, "DISCOVER 2") {
		t.Errorf("after an offer that isn't kept: %q", all)
	}
}

func TestFormerAddress(t *testing.T) {
	former := func(held bool) func(*Config) {
		return func(c *Config) { c.Former, c.Held = ip(address), held }
	}
	t.Run("counts", func(t *testing.T) {
		p := newPaper(t, former(false))
		p.m.start(p.now, true)
		p.expect("REQUEST 1 wants 192.0.2.10")
		p.answer(dhcpv4.MessageTypeAck, address)
		p.expect()
		p.wait(0)
		p.expect("probe 192.0.2.10")
	})
	t.Run("held", func(t *testing.T) {
		p := newPaper(t, former(true))
		p.m.start(p.now, true)
		p.expect("REQUEST 1 wants 192.0.2.10")
		p.answer(dhcpv4.MessageTypeAck, address)
		p.expect("bound 192.0.2.10/24 16m40s", "announce 192.0.2.10")
	})
	t.Run("refused", func(t *testing.T) {
		p := newPaper(t, former(false))
		p.m.start(p.now, true)
		p.told()
		p.answer(dhcpv4.MessageTypeNak, "")
		p.expect("DISCOVER 2")
	})
	t.Run("held and refused", func(t *testing.T) {
		p := newPaper(t, former(true))
		p.m.start(p.now, true)
		p.told()
		p.answer(dhcpv4.MessageTypeNak, "")
		p.expect("lost 192.0.2.10/32", "DISCOVER 2")
	})
	t.Run("unanswered", func(t *testing.T) {
		p := newPaper(t, former(true))
		p.m.start(p.now, true)
		p.told()
		p.wait(3 * time.Second)
		p.expect("REQUEST 1 wants 192.0.2.10 after 3s")
		p.wait(7 * time.Second)
		p.expect("unanswered", "DISCOVER 2 wants 192.0.2.10")
		// Another address is checked, the one that is in use isn't.
		p.answer(dhcpv4.MessageTypeOffer, address)
		p.answer(dhcpv4.MessageTypeAck, address)
		p.expect("REQUEST 2 wants 192.0.2.10 of 192.0.2.1", "bound 192.0.2.10/24 16m40s", "announce 192.0.2.10")
	})
}

func TestRefusedInEveryState(t *testing.T) {
	t.Run("renewing", func(t *testing.T) {
		p := newPaper(t, nil)
		p.lease()
		p.runUntil(496 * time.Second)
		p.told()
		p.answer(dhcpv4.MessageTypeNak, "", set(54, 192, 0, 2, 2))
		p.expect() // another server has no say
		p.answer(dhcpv4.MessageTypeNak, "")
		p.expect("lost 192.0.2.10/24", "DISCOVER 3")
	})
	t.Run("again and again", func(t *testing.T) {
		p := newPaper(t, nil)
		p.m.start(p.now, true)
		for i := range 10 {
			p.answer(dhcpv4.MessageTypeOffer, address)
			p.answer(dhcpv4.MessageTypeNak, "")
			if i > 0 {
				p.wait(min(time.Second<<i, maxBackoff))
			}
		}
		if all := p.told(); len(all) != 21 {
			t.Errorf("sent %d messages: %q", len(all), all)
		}
	})
}

func TestConflicts(t *testing.T) {
	taken := arpPacket{arpReply, otherMAC, ip(address), ip("0.0.0.0")}
	for name, seen := range map[string]arpPacket{
		"used":      taken,
		"announced": {arpRequest, otherMAC, ip(address), ip(address)},
		"probed":    {arpRequest, otherMAC, ip("0.0.0.0"), ip(address)},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPaper(t, nil)
			p.m.start(p.now, true)
			p.answer(dhcpv4.MessageTypeOffer, address)
			p.answer(dhcpv4.MessageTypeAck, address)
			p.wait(0)
			p.told()
			own := seen
			own.sender = ownMAC
			p.m.heard(p.now, own)
			p.m.heard(p.now, arpPacket{arpRequest, otherMAC, ip(other), ip(address)}) // who asks for it doesn't use it
			p.expect()
			p.m.heard(p.now, seen)
			p.expect("DECLINE 2 wants 192.0.2.10 of 192.0.2.1")
			p.wait(10 * time.Second)
			p.expect("DISCOVER 3")
		})
	}
	t.Run("without end", func(t *testing.T) {
		p := newPaper(t, nil)
		p.m.start(p.now, true)
		for i := range 12 {
			p.answer(dhcpv4.MessageTypeOffer, address)
			p.answer(dhcpv4.MessageTypeAck, address)
			p.m.heard(p.now, taken)
			wait := declineWait
			if i >= maxConflicts-1 {
				wait = rateLimit
			}
			p.wait(wait)
		}
	})
	t.Run("in use", func(t *testing.T) {
		p := newPaper(t, nil)
		p.lease()
		p.m.heard(p.now, taken)
		p.expect("announce 192.0.2.10")
		p.skip(11 * time.Second)
		p.m.heard(p.now, taken)
		p.expect("announce 192.0.2.10")
		p.skip(9 * time.Second)
		p.m.heard(p.now, taken)
		p.expect("lost 192.0.2.10/24", "DECLINE 2 wants 192.0.2.10 of 192.0.2.1")
		p.wait(10 * time.Second)
		p.expect("DISCOVER 3")
	})
	t.Run("never yields", func(t *testing.T) {
		p := newPaper(t, func(c *Config) { c.NeverYield = true })
		p.lease()
		for range 30 {
			p.m.heard(p.now, taken)
			p.skip(time.Second)
		}
		p.expect("announce 192.0.2.10", "announce 192.0.2.10", "announce 192.0.2.10")
	})
}

func TestCarrier(t *testing.T) {
	t.Run("comes late", func(t *testing.T) {
		p := newPaper(t, nil)
		p.m.start(p.now, false)
		p.expect()
		p.m.setCarrier(p.now, true)
		p.wait(0)
		p.expect("DISCOVER 1")
	})
	t.Run("is lost and comes back", func(t *testing.T) {
		p := newPaper(t, nil)
		p.lease()
		p.m.setCarrier(p.now, false)
		p.skip(600 * time.Second) // T1 has passed
		p.m.setCarrier(p.now, true)
		p.wait(0)
		p.expect("probe 192.0.2.10", "REQUEST 2 wants 192.0.2.10")
		p.answer(dhcpv4.MessageTypeAck, address)
		p.expect("renewed 192.0.2.10/24 16m40s", "announce 192.0.2.10")
	})
	t.Run("comes back without a server", func(t *testing.T) {
		p := newPaper(t, nil)
		p.lease()
		p.m.setCarrier(p.now, false)
		p.m.setCarrier(p.now, true)
		p.wait(0)
		p.told()
		p.wait(3 * time.Second)
		p.wait(7 * time.Second)
		p.expect("REQUEST 2 wants 192.0.2.10 after 3s", "unanswered 192.0.2.10/24")
		p.wait(484 * time.Second)
		p.expect("arp 192.0.2.10 asks for 192.0.2.1")
	})
	t.Run("stays away until the end", func(t *testing.T) {
		p := newPaper(t, nil)
		p.lease()
		p.m.setCarrier(p.now, false)
		p.wait(994 * time.Second)
		p.expect("lost 192.0.2.10/24")
		if p.m.deadline() != never {
			t.Error("something is to be done without a carrier")
		}
	})
	t.Run("the interface goes", func(t *testing.T) {
		p := newPaper(t, nil)
		p.lease()
		p.m.removed(p.now, "gone")
		p.expect("lost 192.0.2.10/24")
		p.m.setCarrier(p.now, true)
		p.wait(0)
		p.expect("REQUEST 2 wants 192.0.2.10")
	})
	t.Run("is lost while the address is checked", func(t *testing.T) {
		p := newPaper(t, nil)
		p.m.start(p.now, true)
		p.answer(dhcpv4.MessageTypeOffer, address)
		p.answer(dhcpv4.MessageTypeAck, address)
		p.m.setCarrier(p.now, false)
		p.told()
		p.m.setCarrier(p.now, true)
		p.wait(0)
		p.expect("REQUEST 2 wants 192.0.2.10")
	})
}

func TestOthersMessagesChangeNothing(t *testing.T) {
	p := newPaper(t, nil)
	p.m.start(p.now, true)
	p.answer(dhcpv4.MessageTypeAck, address) // nothing was requested
	r := reply{kind: dhcpv4.MessageTypeOffer, xid: dhcpv4.TransactionID{99}}
	p.m.received(p.now, r)
	p.expect("DISCOVER 1")
	p.answer(dhcpv4.MessageTypeOffer, address)
	p.told()
	p.answer(dhcpv4.MessageTypeAck, address, set(54, 192, 0, 2, 2)) // by another server than was asked
	p.answer(dhcpv4.MessageTypeAck, "192.0.2.11")                   // of another address
	p.answer(dhcpv4.MessageTypeNak, "", set(54, 192, 0, 2, 2))
	p.expect()
	if p.m.state != requesting {
		t.Errorf("state %d", p.m.state)
	}
}

func TestLeaseWithoutEnd(t *testing.T) {
	p := newPaper(t, func(c *Config) { c.Former, c.Held = ip(address), true })
	p.m.start(p.now, true)
	p.answer(dhcpv4.MessageTypeAck, address, set(51, 255, 255, 255, 255))
	p.wait(announceInterval)
	if p.m.deadline() != never || p.m.present(p.now).Lifetime != Forever {
		t.Errorf("deadline in %v, lease %+v", p.m.deadline()-p.now, p.m.present(p.now))
	}
}

// A renewal that isn't answered is repeated a bounded number of times, however short the lease.
func TestShortLeases(t *testing.T) {
	p := newPaper(t, func(c *Config) { c.Former, c.Held = ip(address), true })
	p.m.start(p.now, true)
	p.answer(dhcpv4.MessageTypeAck, address, set(51, 0, 0, 0, 10))
	p.told()
	p.runUntil(10 * time.Second)
	var requests int
	for _, line := range p.told() {
		if strings.HasPrefix(line, "REQUEST") {
			requests++
		}
	}
	if requests < 3 || requests > 8 {
		t.Errorf("%d requests for a lease of 10 s", requests)
	}
}
