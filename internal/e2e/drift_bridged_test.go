package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"labnet/internal/nettest"
	"labnet/internal/nettest/hostdump"
)

// confirmBridge moves the uplink for good.
func (l *lab) confirmBridge(t *testing.T) {
	t.Helper()
	token := l.apply(t)
	l.labnet(t, "confirm", "--force", token)
	nettest.Eventually(t, limit, func() error { return contains(l.labnet(t, "status", "-o", "json"), `"kept"`) })
}

// TestEveryBridgedObjectComesBack takes away each thing that a confirmed bridge is made of; a session of before goes on each time.
func TestEveryBridgedObjectComesBack(t *testing.T) {
	nettest.NeedRoot(t)
	l, s := newBridgedLab(t, bridgedConfig)
	before := sortedRoutes(settled(t, l.router))
	nettest.Link(t, nettest.NewHost(t, "guest"), "eth0", l.router, "vm1")
	d, _ := l.start(t)
	l.confirmBridge(t)
	nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "ip", "-o", "link", "show", "vm1"), "master br0") })
	whole := sortedRoutes(settled(t, l.router))
	for _, c := range []struct{ name, harm, says string }{
		{"address", "ip address del 192.0.2.2/24 dev br0", "+ address 192.0.2.2/24 on br0"},
		{"IPv6 address", "ip address del 2001:db8::2/64 dev br0", "+ address 2001:db8::2/64 on br0"},
		{"uplink's mastership", "ip link set eth0 nomaster", "+ port eth0 on br0"},
		{"guest port", "ip link set vm1 nomaster", "+ port vm1 on br0"},
		{"bridge down", "ip link set br0 down", "~ link br0 (down -> up)"},
		{"IPv6 on the port", "sysctl -q -w net.ipv6.conf.eth0.disable_ipv6=0", "~ sysctl net.ipv6.conf.eth0.disable_ipv6 0 -> 1"},
		{"mark", "ip link set br0 alias ''", "~ link br0 (alias labnet bridged)"},
		{"bridge", "ip link del br0", "+ link br0"},
	} {
		// Five repairs in a minute are a fight, and this is more than five: each has a daemon of its own.
		l.restart(t, &d)
		was := d.output()
		start := time.Now()
		l.router.Run(t, "sh", "-ec", c.harm)
		nettest.Eventually(t, limit, func() error { return contains(strings.TrimPrefix(d.output(), was), c.says) })
		took := time.Since(start)
		s.lives(t, "after the repair of the "+c.name)
		nettest.Eventually(t, limit, func() error {
			if c.name == "bridge" {
				return nil // it has another index, and its port the time to be attached
			}
			if diff := hostdump.Diff(whole, sortedRoutes(settled(t, l.router))); diff != "" {
				return fmt.Errorf("%s: the host isn't what it was:\n%s", c.name, diff)
			}
			return nil
		})
		t.Logf("%-20s back after %v: %s", c.name, took.Round(time.Millisecond), lineWith(strings.TrimPrefix(d.output(), was), c.says))
	}
	l.lan.Run(t, "ping", "-6", "-c1", "-W5", "2001:db8::2")
	nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "ip", "-o", "link", "show", "vm1"), "master br0") })
	l.labnet(t, "down")
	l.router.Run(t, "ip", "link", "del", "vm1")
	s.lives(t, "after down")
	if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
		t.Errorf("after down the host isn't what it was:\n%s", diff)
	}
}

// TestALeasedBridgeComesBack has its bridge and then its port taken away where its address is leased: the lease comes back with it.
func TestALeasedBridgeComesBack(t *testing.T) {
	nettest.NeedRoot(t)
	t.Parallel()
	l, s := newBridgedLab(t, leasedConfig)
	before := sortedRoutes(settled(t, l.router))
	lanDnsmasq(t, l, uplinkAddr)
	d, _ := l.start(t)
	l.confirmBridge(t)
	l.has(t, "br0", uplinkAddr)
	for _, c := range []struct{ harm, says string }{
		{"ip link del br0", "+ link br0"},
		{"ip link set eth0 nomaster", "+ port eth0 on br0"},
		{"ip address del " + uplinkAddr + "/24 dev br0", "+ address " + uplinkAddr + "/24 on br0"},
	} {
		was := d.output()
		start := time.Now()
		l.router.Run(t, "sh", "-ec", c.harm)
		nettest.Eventually(t, limit, func() error { return contains(strings.TrimPrefix(d.output(), was), c.says) })
		took := time.Since(start)
		l.has(t, "br0", uplinkAddr)
		s.lives(t, "after "+c.harm)
		t.Logf("%s: back after %v, with its lease after %v", c.harm, took.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	}
	l.labnet(t, "down")
	if diff := hostdump.Diff(before, sortedRoutes(settled(t, l.router))); diff != "" {
		t.Errorf("after down the host isn't what it was:\n%s", diff)
	}
}

// TestTwoManagersOfABridge has another program take the uplink off the bridge whenever it is on it.
func TestTwoManagersOfABridge(t *testing.T) {
	nettest.NeedRoot(t)
	l, _ := newBridgedLab(t, bridgedConfig)
	d, _ := l.start(t)
	l.confirmBridge(t)
	l.router.Start(t, "sh", "-c", "while sleep 0.1; do ip link set eth0 nomaster; done")
	nettest.Eventually(t, 2*limit, func() error { return contains(d.output(), "repairs rest") })
	repairs := strings.Count(d.output(), "+ port eth0 on br0")
	time.Sleep(3 * time.Second)
	if again := strings.Count(d.output(), "+ port eth0 on br0"); again != repairs {
		t.Errorf("%d repairs, and %d after three seconds of rest", repairs, again)
	}
	nettest.Eventually(t, limit, func() error {
		return contains(l.labnet(t, "status"), "someone keeps changing the bridge")
	})
	l.stop(t, d, syscall.SIGTERM)
}

// newcomersConfig has what can be taken away of published ports, of a strict guard and of a TAP.
const newcomersConfig = `
network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach         = ["vm*"]
    guard          = "strict"
    isolate_guests = true
  }
  host "builder" {
    mac     = %q
    address = "10.0.0.10"
  }
  publish "builder" {
    protocol = "tcp"
    listen   = 2222
    host     = "builder"
    port     = 22
  }
  tap "desk" {}
}
`

// TestWhatGuestsNeedComesBack is TestEveryObjectComesBack for published ports, the strict guard's sets, isolation and TAPs.
func TestWhatGuestsNeedComesBack(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLabWithoutDNS(t)
	l.router.Run(t, "sysctl", "-q", "-e", "-w", "net.bridge.bridge-nf-call-iptables=1")
	g := l.newGuest(t, "builder", "vm1")
	l.configure(t, fmt.Sprintf(newcomersConfig, macAddress(t, g.Host)))
	d, _ := l.start(t)
	g.udhcpc(t)
	g.leased(t)
	answers(t, g.Host, 22, "builder")
	leads := func() error {
		if got := called(t, l.lan, "tcp4", uplinkAddr+":2222"); got != "builder" {
			return fmt.Errorf("the published port says %q", got)
		}
		return nil
	}
	nettest.Eventually(t, limit, leads)
	cases := []struct{ name, harm, says, by string }{
		{"published port", "nft flush map inet labnet published", "~ set inet labnet published (+tcp . 2222", `by="nft (pid`},
		{"publishing rules", "nft flush chain inet labnet publish", "~ chain inet labnet publish (0 -> 4 rules)", `by="nft (pid`},
		{"publishing hook", "nft flush chain inet labnet publish_in", "~ chain inet labnet publish_in (0 -> ", `by="nft (pid`},
		{"way back of it", "nft flush chain inet labnet publish_back", "~ chain inet labnet publish_back (0 -> ", `by="nft (pid`},
		{"strict rules", "nft flush chain bridge labnet guest_lab", "~ chain bridge labnet guest_lab (0 -> ", `by="nft (pid`},
		{"strict stations", "nft flush set bridge labnet stations_lab", "the sets of guests' addresses", `by="nft (pid`},
		{"port's isolation", "bridge link set dev vm1 isolated off", "~ port vm1 on br0 (isolated off -> on)", ""},
		{"TAP's mastership", "ip link set desk nomaster", "+ port desk on br0", ""},
		{"TAP", "ip link del desk", "+ link desk (tap of user 0", ""},
		{"ruleset", "nft flush ruleset", "+ table bridge labnet", `by="nft (pid`},
	}
	if out, err := l.router.Try("sysctl", "-n", "net.bridge.bridge-nf-call-iptables"); err == nil && strings.TrimSpace(out) == "1" {
		cases = append(cases, struct{ name, harm, says, by string }{"hairpin", "bridge link set dev vm1 hairpin off", "~ port vm1 (hairpin off -> on)", ""})
	}
	for _, c := range cases {
		l.restart(t, &d)
		nettest.Eventually(t, limit, leads)
		was := d.output()
		start := time.Now()
		l.router.Run(t, "sh", "-ec", c.harm)
		nettest.Eventually(t, limit, func() error { return contains(strings.TrimPrefix(d.output(), was), c.says) })
		took := time.Since(start)
		line := lineWith(strings.TrimPrefix(d.output(), was), c.says)
		if c.by != "" {
			if err := contains(line, c.by); err != nil {
				t.Errorf("%s: who did it isn't said: %v", c.name, err)
			}
		}
		nettest.Eventually(t, limit, leads)
		nettest.Eventually(t, limit, func() error {
			if plan := l.labnet(t, "plan"); plan != "" {
				return fmt.Errorf("left to do:\n%s", plan)
			}
			return nil
		})
		t.Logf("%-20s back after %v: %s", c.name, took.Round(time.Millisecond), line)
	}
}
