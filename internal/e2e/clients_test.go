package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

const labConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    lease_time = "1h"
  }
}
`

// TestRealClients is the whole of routed mode for guests with different DHCP clients.
func TestRealClients(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	_, took := l.start(t)
	t.Logf("ready after %v", took)

	guests := []*guest{l.newGuest(t, "udhcpc", "vm1"), l.newGuest(t, "dhclient", "vm2"), l.newGuest(t, "dhcpcd", "vm3"), l.newGuest(t, "networkd", "vm4")}
	guests[0].udhcpc(t)
	guests[1].dhclient(t)
	guests[2].dhcpcd(t)
	guests[3].networkd(t)
	addrs := map[string]string{}
	for _, g := range guests {
		got := g.leased(t)
		addrs[g.name] = got["address"]
		for key, want := range map[string]string{"router": "10.0.0.1", "resolver": "10.0.0.1", "domain": "lab.internal", "lease_time": "3600"} {
			if got[key] != want {
				t.Errorf("%s: %s is %q, want %q", g.name, key, got[key], want)
			}
		}
		if !strings.HasPrefix(got["address"], "10.0.0.") {
			t.Errorf("%s: address %q", g.name, got["address"])
		}
	}
	for _, asker := range guests {
		for _, other := range guests {
			if got := asker.resolve(t, other.name); !slices.Equal(got, []string{addrs[other.name]}) {
				t.Errorf("%s resolves %s to %v, want %s", asker.name, other.name, got, addrs[other.name])
			}
			if got := asker.resolve(t, "-x", addrs[other.name]); !slices.Equal(got, []string{other.name + ".lab.internal."}) {
				t.Errorf("%s resolves %s back to %v", asker.name, addrs[other.name], got)
			}
			asker.Run(t, "ping", "-c1", "-W2", addrs[other.name])
		}
		if got := asker.resolve(t, "www.example.org"); !slices.Equal(got, []string{"192.0.2.80"}) {
			t.Errorf("%s resolves www.example.org to %v", asker.name, got)
		}
		if got := asker.resolve(t, "+tcp", "www.example.org", "AAAA"); !slices.Equal(got, []string{"2001:db8::80"}) {
			t.Errorf("%s resolves www.example.org AAAA over TCP to %v", asker.name, got)
		}
		// glibc's own resolver, as every program uses it.
		if got := asker.Run(t, "getent", "ahostsv4", guests[0].name); !strings.HasPrefix(got, addrs[guests[0].name]+" ") {
			t.Errorf("%s: getent says %q", asker.name, got)
		}
		asker.Run(t, "ping", "-c1", "-W2", lanAddr)
	}
	theLANSeesTheRouter(t, l, guests)
	theLANIsRefused(t, l, addrs)
}

// theLANSeesTheRouter has each guest connect to the LAN, which must see the uplink's address and no other.
func theLANSeesTheRouter(t *testing.T, l *lab, guests []*guest) {
	t.Helper()
	_, seen := l.lan.Start(t, "tcpdump", "-i", "eth0", "-n", "-l", "-p", "tcp port 8080 or icmp")
	_, listening := l.lan.Start(t, "nc", "-l", "-k", "-v", "-n", "-s", lanAddr, "-p", "8080")
	nettest.Eventually(t, 5*time.Second, func() error {
		if !strings.Contains(seen(), "listening on") || !strings.Contains(listening(), "istening") {
			return fmt.Errorf("not listening yet: %s%s", seen(), listening())
		}
		return nil
	})
	for _, g := range guests {
		g.Run(t, "sh", "-c", "echo hello | nc -N -w 3 "+lanAddr+" 8080")
		g.Run(t, "ping", "-c1", "-W2", lanAddr)
	}
	nettest.Eventually(t, 5*time.Second, func() error {
		if got := strings.Count(seen(), "Flags [S],"); got < len(guests) {
			return fmt.Errorf("%d of %d connections seen", got, len(guests))
		}
		return nil
	})
	for line := range strings.Lines(seen()) {
		if strings.Contains(line, "10.0.0.") {
			t.Errorf("the LAN sees an address of the lab: %s", line)
		}
	}
}

// theLANIsRefused tries to reach the guests from the LAN, which knows the way.
func theLANIsRefused(t *testing.T, l *lab, addrs map[string]string) {
	t.Helper()
	l.lan.Run(t, "ip", "route", "add", "10.0.0.0/24", "via", uplinkAddr)
	for name, addr := range addrs {
		if out, err := l.lan.Try("nc", "-v", "-n", "-w", "3", addr, "22"); err == nil || strings.Contains(out, "timed out") {
			t.Errorf("a connection from the LAN to %s (%s) is not refused: %v %s", name, addr, err, out)
		}
		if out, err := l.lan.Try("ping", "-c1", "-W1", addr); err == nil {
			t.Errorf("the LAN pings %s: %s", name, out)
		}
	}
}
