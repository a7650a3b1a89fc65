package netcfg

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// vnetHeader is what QEMU writes before each frame.
const vnetHeader = 10

// TestPinnedTAPs: under a strict guard the MAC address that a TAP says its guest has is that guest's from the first frame on, and all that it has.
func TestPinnedTAPs(t *testing.T) {
	r := newQuietRouter(t)
	h := r.open(t)
	own, stranger, nobody := MAC{0x52, 0x54, 0, 0, 0, 1}, MAC{0x52, 0x54, 0, 0, 0, 2}, MAC{0x52, 0x54, 0, 0, 0, 3}
	cfg := networks(withTAPs(with(lab(), func(n *Network) { n.Guard = GuardStrict }), TAP{Name: "tap0", Guest: own}, TAP{Name: "tap1"}))
	h.SetGuests(Guests{Bindings: map[Binding]bool{
		{"lab", own, netip.MustParseAddr("10.0.0.10")}:      true,
		{"lab", stranger, netip.MustParseAddr("10.0.0.12")}: true,
	}})
	apply(t, h, cfg)
	keep(t, h)
	files := map[string]*os.File{"tap0": r.openTAP(t, "tap0"), "tap1": r.openTAP(t, "tap1")}
	send := func(tap string, frame []byte) {
		t.Helper()
		if _, err := files[tap].Write(append(make([]byte, vnetHeader), frame...)); err != nil {
			t.Fatal(err)
		}
	}
	ip := func(src MAC, packet []byte) []byte { return ethernet(src.String(), unix.ETH_P_IP, packet) }
	arp := func(src, sender MAC, address string) []byte {
		return ethernet(src.String(), unix.ETH_P_ARP, arpReply(sender.String(), address))
	}
	// Frames of one TAP come one after the other: with one that is surely dropped behind it, it is known what became of a frame.
	surely := arp(nobody, nobody, "10.0.0.1")
	impostors := counter(t, r, "bridge", "impostor")
	expect := func(t *testing.T, want int) {
		t.Helper()
		nettest.Eventually(t, patience, func() error {
			if got := counter(t, r, "bridge", "impostor"); got != impostors+want {
				return fmt.Errorf("%d impostors, not %d", got-impostors, want)
			}
			return nil
		})
		impostors += want
	}
	tryAll := func(t *testing.T) {
		for _, c := range []struct {
			name   string
			tap    string
			frame  []byte
			passes bool
		}{
			{"its own", "tap0", ip(own, udp4("10.0.0.10", 5353, 5353, "hello")), true},
			{"its own ARP", "tap0", arp(own, own, "10.0.0.10"), true},
			{"an address probe", "tap0", arp(own, own, "0.0.0.0"), true},
			{"its request", "tap0", ip(own, dhcp4("0.0.0.0", own)), true},

			{"another address", "tap0", ip(own, udp4("10.0.0.11", 5353, 5353, "hello")), false},
			{"who hasn't been heard yet", "tap0", ip(stranger, udp4("10.0.0.12", 5353, 5353, "hello")), false},
			{"his ARP", "tap0", arp(stranger, stranger, "10.0.0.12"), false},
			{"his ARP from its own card", "tap0", arp(own, stranger, "10.0.0.12"), false},
			{"his probe", "tap0", arp(stranger, stranger, "0.0.0.0"), false},
			{"his probe from its own card", "tap0", arp(own, stranger, "0.0.0.0"), false},
			{"his request", "tap0", ip(stranger, dhcp4("0.0.0.0", stranger)), false},
			{"a request for him", "tap0", ip(own, dhcp4("0.0.0.0", stranger)), false},
			{"a newcomer's request", "tap0", ip(nobody, dhcp4("0.0.0.0", nobody)), false},
			{"in a VLAN", "tap0", tagged(ip(stranger, udp4("10.0.0.12", 5353, 5353, "hello")), 0x81000064), false},

			{"from elsewhere, all of it", "tap1", ip(own, udp4("10.0.0.10", 5353, 5353, "hello")), false},
			{"from elsewhere, its request", "tap1", ip(own, dhcp4("0.0.0.0", own)), false},
			{"from elsewhere, a request for it", "tap1", ip(stranger, dhcp4("10.0.0.12", own)), false},
			{"from elsewhere, its ARP", "tap1", arp(own, own, "10.0.0.10"), false},
			{"an ordinary one's request", "tap1", ip(nobody, dhcp4("0.0.0.0", nobody)), true},
			{"the stranger", "tap1", ip(stranger, udp4("10.0.0.12", 5353, 5353, "hello")), true},
		} {
			t.Run(c.name, func(t *testing.T) {
				send(c.tap, c.frame)
				send(c.tap, surely)
				if c.passes {
					expect(t, 1)
				} else {
					expect(t, 2)
				}
			})
		}
	}
	// Before anything was heard, then with what the bridge has learned, and by rules that are made anew.
	t.Run("first", tryAll)
	t.Run("again", tryAll)
	r.Run(t, "nft", "flush", "ruleset")
	soon(t, h, cfg)
	nettest.Eventually(t, patience, func() error {
		if out, err := r.Try("nft", "list", "set", "bridge", "labnet", "stations_lab"); err != nil || !strings.Contains(out, `"tap0" . `+own.String()) {
			return fmt.Errorf("not pinned again: %v %s", err, out)
		}
		return nil
	})
	impostors = counter(t, r, "bridge", "impostor")
	t.Run("repaired", tryAll)

	// A lease that comes and goes.
	h.ChangeGuests(GuestChanges{Remove: []Binding{{"lab", own, netip.MustParseAddr("10.0.0.10")}}, Add: []Binding{{"lab", own, netip.MustParseAddr("10.0.0.13")}}})
	send("tap0", ip(own, udp4("10.0.0.13", 5353, 5353, "hello")))
	send("tap0", surely)
	expect(t, 1)
	h.ChangeGuests(GuestChanges{Remove: []Binding{{"lab", own, netip.MustParseAddr("10.0.0.13")}}})
	send("tap0", ip(own, udp4("10.0.0.13", 5353, 5353, "hello")))
	expect(t, 1)
	send("tap1", ip(own, dhcp4("0.0.0.0", own)))
	expect(t, 1)

	// The TAP for another guest, then for any.
	cfg = networks(withTAPs(cfg.Networks[0], TAP{Name: "tap0", Guest: stranger}, TAP{Name: "tap1"}))
	apply(t, h, cfg)
	send("tap0", ip(stranger, udp4("10.0.0.12", 5353, 5353, "hello")))
	send("tap0", surely)
	expect(t, 1)
	send("tap1", ip(stranger, udp4("10.0.0.12", 5353, 5353, "hello")))
	send("tap0", ip(own, dhcp4("0.0.0.0", own)))
	expect(t, 2)
	cfg = networks(withTAPs(cfg.Networks[0], TAP{Name: "tap0"}, TAP{Name: "tap1"}))
	apply(t, h, cfg)
	inOrder(t, h, cfg)
	send("tap0", ip(nobody, dhcp4("0.0.0.0", nobody)))
	send("tap0", surely)
	expect(t, 1)
	if out := r.Run(t, "nft", "list", "table", "bridge", "labnet"); strings.Contains(out, "pinned") {
		t.Errorf("pinned are still:\n%s", out)
	}
}
