package e2e

import (
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// staticGuest plugs in a machine with an address that nobody gave it, and returns it with its MAC.
func (l *lab) staticGuest(t *testing.T, name, port, addr string) (*guest, string) {
	t.Helper()
	g := l.newGuest(t, name, port)
	g.Run(t, "ip", "address", "add", addr+"/24", "dev", "eth0")
	nettest.Eventually(t, 20*time.Second, func() error { // once its port is on the bridge
		_, err := g.Try("ping", "-c1", "-W1", "10.0.0.1")
		return err
	})
	return g, strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address"))
}

// TestAStaticGuestKeepsItsAddress: a guest that asks for it gets another one, and the operator sees why.
func TestAStaticGuestKeepsItsAddress(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	_, mac := l.staticGuest(t, "static", "vm1", "10.0.0.120")
	g := l.newGuest(t, "guest", "vm2")
	g.udhcpc(t, "-r", "10.0.0.120")
	if got := g.leased(t); got["address"] == "10.0.0.120" {
		t.Error("the guest got the static guest's address")
	}
	if log := d.output(); !strings.Contains(log, "other="+mac) {
		t.Errorf("the log doesn't name %s", mac)
	}
	found := false
	for _, x := range l.leases(t) {
		found = found || x.Address == "10.0.0.120" && x.MAC == mac && x.State == "declined"
	}
	if !found {
		t.Errorf("leases says\n%s", l.labnet(t, "leases"))
	}
}
