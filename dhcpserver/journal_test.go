package dhcpserver

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestJournalBoundsItself(t *testing.T) {
	var out logBuffer
	j := newJournal(slog.New(slog.NewTextHandler(&out, nil)), "br0", "lab")
	p := &packet{decision: decision{reply: replyNak, reason: ReasonNakTaken, addr: testAddr}, xid: 0xabc}
	p.client.HWAddr = testMAC
	now := time.Now()
	for range logBurst + 500 {
		j.packet(p, now)
	}
	if n := strings.Count(out.String(), "\n"); n != logBurst {
		t.Errorf("%d lines, want %d", n, logBurst)
	}
	p.reason = ReasonNakReserved // another reason isn't held back by the first
	j.packet(p, now)
	p.reason = ReasonNakTaken
	j.packet(p, now.Add(time.Second))
	if text := out.String(); !strings.Contains(text, "reason=nak_reserved\n") || !strings.HasSuffix(text, "reason=nak_taken suppressed=500\n") {
		t.Errorf("the log ends with %q", text[len(text)-300:])
	}
}

func TestJournalSaysWhoWhatAndWhy(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   decision
		want string // "" for nothing at level info
	}{
		{"a lease", decision{reply: replyAck, reason: ReasonAckSelecting, addr: testAddr, name: "web"}, `level=INFO msg="address leased" iface=br0 network=lab client=52:54:00:12:34:56 addr=10.0.0.120 name=web xid=00000abc reason=ack_selecting`},
		{"a renewal", decision{reply: replyAck, reason: ReasonAckRenew, renewal: true}, ""},
		{"an offer", decision{reply: replyOffer, reason: ReasonOfferDerived}, ""},
		{"a NAK", decision{reply: replyNak, reason: ReasonNakNoAddress}, `level=INFO msg="request refused" iface=br0 network=lab client=52:54:00:12:34:56 addr="" name="" xid=00000abc reason=nak_no_address`},
		{"a decline", decision{reason: ReasonDeclined, pending: true, addr: testAddr}, `level=WARN msg="address declined: another machine uses it" iface=br0 network=lab client=52:54:00:12:34:56 addr=10.0.0.120 name="" xid=00000abc reason=declined`},
		{"silence", decision{reason: ReasonNotOurs}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out logBuffer
			p := &packet{decision: tc.in, xid: 0xabc}
			p.client.HWAddr = testMAC
			newJournal(slog.New(slog.NewTextHandler(&out, nil)), "br0", "lab").packet(p, time.Now())
			_, got, _ := strings.Cut(strings.TrimSpace(out.String()), " ") // without the time
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
