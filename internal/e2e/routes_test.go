package e2e

import (
	"fmt"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

const routeHCL = "  host \"firewall\" {\n    mac     = \"52:54:00:00:00:02\"\n    address = \"10.0.0.2\"\n  }\n  route \"10.1.0.0/16\" {\n    via = \"firewall\"\n  }\n"

// TestRoutesBehindGuests has a guest that routes, with a machine behind it.
func TestRoutesBehindGuests(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, moreConfig(routeHCL))
	d, _ := l.start(t)
	firewall := l.newGuest(t, "firewall", "vm1")
	firewall.Run(t, "ip", "link", "set", "eth0", "address", "52:54:00:00:00:02")
	firewall.udhcpc(t)
	if got := firewall.leased(t)["address"]; got != "10.0.0.2" {
		t.Fatalf("the firewall has %s", got)
	}
	inside := nettest.NewHost(t, "inside")
	nettest.Link(t, firewall.Host, "eth1", inside, "eth0")
	firewall.Run(t, "ip", "address", "add", "10.1.0.1/16", "dev", "eth1")
	firewall.Run(t, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	inside.Run(t, "ip", "address", "add", "10.1.0.7/16", "dev", "eth0")
	inside.Run(t, "ip", "route", "add", "default", "via", "10.1.0.1")
	behind := &guest{Host: inside}
	behind.reaches(t, "10.0.0.1", true)
	behind.reaches(t, lanAddr, true)
	if out := inside.Run(t, "dig", "+short", "+time=5", "@10.0.0.1", "firewall.lab.internal"); strings.TrimSpace(out) != "10.0.0.2" {
		t.Errorf("from behind, the firewall's name is %q", out)
	}
	l.router.Run(t, "ping", "-n", "-c", "1", "-W", "5", "10.1.0.7")
	// Another guest is told the way, and the firewall isn't led to itself.
	other := l.newGuest(t, "other", "vm2")
	other.udhcpc(t)
	other.leased(t)
	other.reaches(t, "10.1.0.7", true)
	for mac, want := range map[string]bool{"52:54:00:00:00:02": false, "52:54:00:00:00:77": true} {
		if out := l.labnet(t, "explain", "dhcp", mac); strings.Contains(out, "10.1.0.0/16 via 10.0.0.2") != want {
			t.Errorf("%s is told of the route: %v\n%s", mac, !want, out)
		}
	}
	// Drift is mended.
	l.router.Run(t, "ip", "route", "del", "10.1.0.0/16")
	nettest.Eventually(t, limit, func() error {
		out, err := l.router.Try("ip", "route", "show", "proto", "108")
		if err == nil && !strings.Contains(out, "10.1.0.0/16 via 10.0.0.2 dev br0") {
			err = fmt.Errorf("no route: %s", out)
		}
		return err
	})
	behind.reaches(t, lanAddr, true)

	// Under a strict guard, nobody but the firewall may send what is behind it.
	l.configure(t, strings.Replace(moreConfig(routeHCL), "attach = [\"vm*\"]", "attach = [\"vm*\"]\n    guard  = \"strict\"", 1))
	l.reload(t, d, "the configuration is reloaded")
	behind.reaches(t, lanAddr, true)
	other.Run(t, "ip", "address", "add", "10.1.0.66/32", "dev", "eth0")
	if out, err := other.Try("ping", "-n", "-c", "1", "-W", "1", "-I", "10.1.0.66", "10.0.0.1"); err == nil {
		t.Errorf("another guest sends as if from behind the firewall:\n%s", out)
	}
	behind.reaches(t, lanAddr, true)

	l.configure(t, labConfig)
	l.reload(t, d, "the configuration is reloaded")
	if out := l.router.Run(t, "ip", "route"); strings.Contains(out, "10.1.0.0") {
		t.Errorf("the route is left:\n%s", out)
	}
}
