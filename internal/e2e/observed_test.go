package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// startLANServer starts dnsmasq on the LAN: it leases 192.0.2.100 to .150, and answers nobody more slowly because of others, as it does while it pings.
func startLANServer(t *testing.T, l *lab) {
	t.Helper()
	l.lan.Start(t, "dnsmasq", "--keep-in-foreground", "--port=0", "--conf-file=/dev/null", "--leasefile-ro", "--pid-file=", "--user=root",
		"--interface=eth0", "--no-ping", "--dhcp-range=192.0.2.100,192.0.2.150,12h")
}

// ofLANServer reports whether an address is one of startLANServer's.
func ofLANServer(addr string) bool {
	a, err := netip.ParseAddr(addr)
	return err == nil && !a.Less(netip.MustParseAddr("192.0.2.100")) && !netip.MustParseAddr("192.0.2.150").Less(a)
}

// confirm confirms a change of the uplink over a connection of its own.
func (l *lab) confirm(t *testing.T, token string) {
	t.Helper()
	fresh := dialSession(t, l)
	fresh.lives(t, "on the bridge")
	l.router.Run(t, append([]string{"env", fresh.ssh()}, l.args(t, "confirm", token)...)...)
}

// sighting is a guest in a list of leases that is only observed.
type sighting struct {
	Network, Address, MAC, Name, Hostname, State, Port, Expires, Start string

	ClientID string `json:"client_id"`
	LastSeen string `json:"last_seen"`
}

func (l *lab) sightings(t *testing.T, args ...string) []sighting {
	t.Helper()
	var found []sighting
	if err := json.Unmarshal([]byte(l.labnet(t, append([]string{"leases", "-o", "json"}, args...)...)), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestGuestsOfTheLANAreObserved: who leases from the LAN's server behind a port of the bridge is listed with its address, MAC and port, whatever it
// calls itself, and no more when its port is gone. Who is behind the uplink isn't.
func TestGuestsOfTheLANAreObserved(t *testing.T) {
	nettest.NeedRoot(t)
	l, _ := newBridgedLab(t, bridgedConfig)
	startLANServer(t, l)
	l.start(t)
	l.confirm(t, l.apply(t))
	g, nasty := l.newGuest(t, "guest", "vm1"), l.newGuest(t, "nasty", "vm2")
	l.attached(t, "vm1")
	l.attached(t, "vm2")
	g.udhcpc(t)
	nasty.name = "\x1b[31mroot"
	nasty.udhcpc(t)
	want := map[string]*guest{"vm1": g, "vm2": nasty}
	for port, g := range want {
		lease := g.leased(t)
		if !ofLANServer(lease["address"]) {
			t.Errorf("%s leases %s", g.name, lease["address"])
		}
		l.lan.Run(t, "ping", "-c1", "-W5", lease["address"])
		nettest.Eventually(t, limit, func() error {
			found := slices.DeleteFunc(l.sightings(t, "--filter", "state=observed"), func(s sighting) bool { return s.Port != port })
			// A lease that was given before the port was listened to is heard of when it is renewed.
			g.Run(t, "sh", "-c", "kill -USR1 $(cat "+g.dir+"/pid)")
			if len(found) != 1 {
				return fmt.Errorf("at %s are observed: %+v", port, found)
			}
			s := found[0]
			if s.Network != "lan" || s.Address != lease["address"] || s.MAC != macAddress(t, g.Host) || s.State != "observed" || s.Hostname != g.name ||
				s.Name != "" || s.ClientID != "" || s.Expires == "" || s.Start == "" || s.LastSeen == "" {
				return fmt.Errorf("at %s is observed: %+v", port, s)
			}
			return nil
		})
	}
	if all := l.sightings(t); len(all) != len(want) {
		t.Errorf("others are observed too: %+v", all)
	}
	for _, format := range []string{"table", "wide", "csv", "yaml"} {
		out := l.labnet(t, "leases", "-o", format)
		if !strings.Contains(out, "observed") || !strings.Contains(out, g.leased(t)["address"]) || strings.Contains(out, "\x1b") {
			t.Errorf("as %s:\n%q", format, out)
		}
	}
	if out := l.labnet(t, "leases", "--filter", "state=bound", "-o", "csv"); strings.Count(out, "\n") != 1 {
		t.Errorf("bound are:\n%s", out)
	}
	if out, err := l.tryLabnet(t, "leases", "release", "--force", g.leased(t)["address"]); err == nil || !strings.Contains(out, "the LAN's DHCP server gives them") {
		t.Errorf("release: %v\n%s", err, out)
	}
	g.Run(t, "ip", "link", "del", "eth0") // and with it its other end
	nettest.Eventually(t, limit, func() error {
		if left := l.sightings(t); len(left) != 1 || left[0].Port != "vm2" {
			return fmt.Errorf("after vm1 has gone there are: %+v", left)
		}
		return nil
	})
}
