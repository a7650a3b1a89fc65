//go:build long

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestDeclinedByDhcpcd: it waits for ten seconds before it asks again (RFC 2131 section 3.1.5). dhclient leaves the question to
// its script, and systemd-networkd 252 takes the address off before it declines it, so that its DHCPDECLINE never leaves.
func TestDeclinedByDhcpcd(t *testing.T) {
	declined(t, func(t *testing.T, g *guest) { g.dhcpcd(t) })
}

// TestRealClientsRenewAndRebind follows clients through the states of RFC 2131 section 4.4.5, at the shortest lease time: from
// BOUND to RENEWING, then, when their server is deaf to what is sent to it alone, to REBINDING, all with one address.
func TestRealClientsRenewAndRebind(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, strings.Replace(labConfig, `"1h"`, `"60s"`, 1))
	d, _ := l.start(t)
	guests := []*guest{l.newGuest(t, "udhcpc", "vm1"), l.newGuest(t, "dhclient", "vm2"), l.newGuest(t, "dhcpcd", "vm3"), l.newGuest(t, "networkd", "vm4")}
	guests[0].udhcpc(t)
	guests[1].dhclient(t)
	guests[2].dhcpcd(t)
	networkd := guests[3].networkd(t)
	addrs, macs := map[string]string{}, map[string]string{}
	for _, g := range guests {
		addrs[g.name] = g.leased(t)["address"]
		macs[g.name] = strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address"))
	}
	// all waits until the daemon has written a line about each guest.
	all := func(reason string, patience time.Duration) {
		t.Helper()
		for _, g := range guests {
			nettest.Eventually(t, patience, func() error {
				for line := range strings.Lines(d.output()) {
					if strings.Contains(line, "client="+macs[g.name]) && strings.Contains(line, "reason="+reason) {
						return contains(line, "addr="+addrs[g.name]+" ")
					}
				}
				return fmt.Errorf("%s: no %s", g.name, reason)
			})
		}
	}
	all("ack_renew", 50*time.Second)
	l.router.Run(t, "nft", "add table ip deaf; add chain ip deaf in { type filter hook prerouting priority -400; }; add rule ip deaf in ip daddr 10.0.0.1 udp dport 67 drop")
	all("ack_rebind", 80*time.Second)
	l.router.Run(t, "nft", "delete table ip deaf")
	if c := l.counters(t); c.sum("nak_") != 0 || c.sum("offer_") > 2*len(guests) {
		t.Errorf("somebody was refused, or lost the lease: %v", c)
	}
	for _, one := range l.leases(t) {
		if one.State != "bound" || one.Address != addrs[one.Name] {
			t.Errorf("at the end: %+v", one)
		}
	}
	// systemd-networkd gives its lease back when it ends.
	if err := networkd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, limit, func() error {
		return contains(d.output(), "msg=\"lease released\" part=dhcp iface=br0 network=lab client="+macs["networkd"])
	})
	l.stop(t, d, syscall.SIGTERM)
}
