package dhcpserver

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/nettest"
)

func TestMessagesAreCountedByType(t *testing.T) {
	l := newLab(t, nil, withMarker(nil))
	p := play{t: t, world: l}
	p.answered(discover(macA, "10.0.0.120"), typeOffer, ReasonOfferRequested)
	p.answered(selecting(macA, "10.0.0.120"), typeAck, ReasonAckSelecting)
	p.answered(initReboot(macA, "192.0.2.9"), typeNak, ReasonNakOffLink)
	p.answeredFrom(request{kind: typeInform, mac: macA, ciaddr: "10.0.0.30"}, "10.0.0.30", typeAck, ReasonAckInform)
	// The marker has leased once, and renewed after each of the four messages.
	const marker = 5
	want := map[string]uint64{
		"DISCOVER": 1, "REQUEST": 2 + marker, "INFORM": 1, "DECLINE": 0, "RELEASE": 0, "other": 0,
		"sent OFFER": 1, "sent ACK": 2 + marker, "sent NAK": 1,
	}
	// A reply is counted behind the system call that sends it.
	nettest.Eventually(t, 10*time.Second, func() error {
		got := map[string]uint64{}
		for _, m := range l.server.Messages() {
			kind := m.Type
			if m.Sent {
				kind = "sent " + kind
			}
			got[kind] = m.Count
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("-want +got:\n%s", diff)
		}
		return nil
	})
}

func TestCountingAMessageAllocatesNothing(t *testing.T) {
	var c traffic
	if n := testing.AllocsPerRun(100, func() { c.count(typeDiscover); c.count(200) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if c.n[typeDiscover].Load() == 0 || c.n[0].Load() == 0 {
		t.Error("not counted")
	}
}
