package e2e

import (
	"fmt"
	"path/filepath"
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

// TestAnotherServerIsSeen: a guest that serves DHCP shows in the status, and serves nobody.
func TestAnotherServerIsSeen(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	rogue, mac := l.staticGuest(t, "rogue", "vm1", "10.0.0.66")
	dir := t.TempDir()
	_, output := rogue.Start(t, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--dhcp-authoritative", "--no-ping",
		"--interface=eth0", "--except-interface=lo", "--dhcp-broadcast", "--dhcp-range=10.0.0.200,10.0.0.220", "--dhcp-option=3,10.0.0.66",
		"--dhcp-leasefile="+filepath.Join(dir, "leases"), "--pid-file="+filepath.Join(dir, "pid"))
	nettest.Eventually(t, 20*time.Second, func() error {
		if out, err := rogue.Try("sh", "-c", "ss -Hlnu 'sport = :67' | grep ."); err != nil {
			return fmt.Errorf("dnsmasq isn't there: %s\n%s", out, output())
		}
		return nil
	})
	g := l.newGuest(t, "guest", "vm2")
	g.udhcpc(t)
	if got := g.leased(t); got["router"] != "10.0.0.1" {
		t.Errorf("the guest's router is %s", got["router"])
	}
	want := "another DHCP server on br0: 10.0.0.66 (" + mac + "), heard "
	nettest.Eventually(t, 20*time.Second, func() error {
		if out := l.labnet(t, "status"); !strings.Contains(out, want) {
			return fmt.Errorf("status says\n%s\ndnsmasq says\n%s", out, output())
		}
		return nil
	})
}
