package netcfg

import (
	"slices"
	"strings"
	"testing"
)

// TestRatesAreTheKernelsAccount: what the limit of DHCP remembers of ports is no difference to repair; another kind of set in its
// place is.
func TestRatesAreTheKernelsAccount(t *testing.T) {
	r := newRouter(t)
	h := r.open(t)
	apply(t, h, networks(lab()))
	// In any order: what is made anew comes last.
	rules := func() string {
		return strings.Join(slices.Sorted(strings.Lines(r.Run(t, "nft", "list", "table", "bridge", "labnet"))), "")
	}
	want := rules()
	if !strings.Contains(want, "flags dynamic,timeout") {
		t.Fatalf("no dynamic set in\n%s", want)
	}
	r.Run(t, "nft", "add element bridge labnet dhcp_rates { tap0, tap1 }")
	inOrder(t, h, networks(lab()))

	// A limit without its set, and with one that no rule can fill.
	r.Run(t, "nft", "flush chain bridge labnet guest_lab.request; delete set bridge labnet dhcp_rates")
	apply(t, h, networks(lab()))
	inOrder(t, h, networks(lab()))
	if got := rules(); got != want {
		t.Errorf("after the set was removed:\n%s\nwant:\n%s", got, want)
	}
	r.Run(t, "nft", "flush chain bridge labnet guest_lab.request; delete set bridge labnet dhcp_rates; add set bridge labnet dhcp_rates { type ifname; }")
	apply(t, h, networks(lab()))
	inOrder(t, h, networks(lab()))
	if got := rules(); got != want {
		t.Errorf("after the set was replaced:\n%s\nwant:\n%s", got, want)
	}

	// DHCP is somebody else's: so is how much of it there may be.
	off := networks(with(lab(), func(n *Network) { n.DHCP = false }))
	apply(t, h, off)
	inOrder(t, h, off)
	if strings.Contains(rules(), "limit rate") {
		t.Errorf("limited without DHCP of ours:\n%s", rules())
	}
}
