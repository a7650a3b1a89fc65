package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// TestIsolatedGuestsByTheFile is the option as a user has it: guests with leases that reach the LAN and not each other.
func TestIsolatedGuestsByTheFile(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, isolatedConfig)
	l.start(t)
	a, b := l.newGuest(t, "a", "vm1"), l.newGuest(t, "b", "vm2")
	a.udhcpc(t)
	b.udhcpc(t)
	a.leased(t)
	addr := b.leased(t)["address"]
	if out, err := a.Try("ping", "-c1", "-W1", addr); err == nil {
		t.Errorf("an isolated guest is reached: %s", out)
	}
	for _, way := range []struct {
		from *guest
		to   string
	}{{a, addr}, {b, a.leased(t)["address"]}} {
		way.from.Run(t, "ip", "route", "add", way.to+"/32", "via", "10.0.0.1", "dev", "eth0", "onlink")
	}
	if out, err := a.Try("ping", "-c1", "-W1", addr); err == nil {
		t.Errorf("an isolated guest is reached over the gateway: %s", out)
	}
	if out := l.router.Run(t, "nft", "list", "counter", "inet", "labnet", "kept_apart"); strings.Contains(out, "packets 0 ") {
		t.Error("nothing was forwarded back to the bridge: the test shows nothing")
	}
	a.Run(t, "ping", "-c1", "-W5", lanAddr)
	if got := a.resolve(t, "b"); len(got) != 1 || got[0] != addr {
		t.Errorf("the other one's name resolves to %v", got)
	}
}

const isolatedNetwork = `network "lab" {
  mode        = "isolated"
  address     = "10.0.0.1/24"
  host_access = "services"
  allow_from  = ["ci"]
  bridge {
    name   = "br-lab"
    attach = ["lab*"]
  }
}

network "ci" {
  address = "10.0.1.1/24"
  bridge {
    name   = "br-ci"
    attach = ["ci*"]
  }
}
`

func TestIsolatedNetworkByTheFile(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, isolatedNetwork)
	l.start(t)
	a, c := l.newGuest(t, "alpha", "lab1"), l.newGuest(t, "gamma", "ci1")
	a.udhcpc(t)
	c.udhcpc(t)
	lease := a.leased(t)
	c.leased(t)
	if lease["router"] != "" {
		t.Errorf("guests of an isolated network are offered the router %s", lease["router"])
	}
	a.Run(t, "ip", "route", "replace", "default", "via", "10.0.0.1")
	if out, err := a.Try("ping", "-c1", "-W1", lanAddr); err == nil {
		t.Errorf("something leaves: %s", out)
	}
	c.Run(t, "ping", "-c1", "-W5", lease["address"])
	if out, err := a.Try("ping", "-c1", "-W1", c.leased(t)["address"]); err == nil {
		t.Errorf("the network that is let in is reached: %s", out)
	}
	// Of the host: names and pings, and no other port of any of its addresses.
	if got := a.resolve(t, "alpha"); len(got) != 1 || got[0] != lease["address"] {
		t.Errorf("its own name resolves to %v", got)
	}
	a.Run(t, "ping", "-c1", "-W5", uplinkAddr)
	l.router.Start(t, "nc", "-lk", "-p", "2222")
	for _, address := range []string{"10.0.0.1", uplinkAddr} {
		nettest.Eventually(t, limit, func() error {
			out, err := c.Try("nc", "-z", "-n", "-w", "5", address, "2222")
			if err != nil {
				return fmt.Errorf("%s: %w", out, err)
			}
			return nil
		})
		if out, err := a.Try("nc", "-z", "-v", "-n", "-w", "5", address, "2222"); err == nil {
			t.Errorf("a port of %s is reached: %s", address, out)
		}
	}
	if out := l.labnet(t, "status"); !strings.Contains(out, "none, the network is isolated") {
		t.Errorf("status:\n%s", out)
	}
}

// TestTheLANsRoute is what plan and status say where nothing is masqueraded: with that route, everybody is reached.
func TestTheLANsRoute(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig[:strings.LastIndex(labConfig, "}")]+"  uplink {\n    masquerade = false\n  }\n}\n")
	const command = "ip route add 10.0.0.0/24 via " + uplinkAddr
	if out, err := l.tryLabnet(t, "plan"); err != nil || !strings.Contains(out, command) {
		t.Errorf("the plan doesn't say it: %v\n%s", err, out)
	}
	l.start(t)
	if out := l.labnet(t, "status"); !strings.Contains(out, command) {
		t.Errorf("status doesn't say it:\n%s", out)
	}
	var status struct {
		State    string
		Networks []struct {
			Routes []struct{ Network, Subnet, Via, Command string } `json:"return_routes"`
		}
	}
	if err := json.Unmarshal([]byte(l.labnet(t, "status", "-o", "json")), &status); err != nil {
		t.Fatal(err)
	}
	if len(status.Networks) != 1 || len(status.Networks[0].Routes) != 1 || status.Networks[0].Routes[0].Command != command || status.State != "ready" {
		t.Errorf("status as JSON: %+v", status)
	}
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	addr := g.leased(t)["address"]
	l.lan.Run(t, strings.Fields(command)...)
	l.lan.Run(t, "ping", "-c1", "-W5", addr)
	g.Run(t, "ping", "-c1", "-W5", lanAddr)
}

// TestTheUplinkMoves has the default route go from one LAN to another and back, and the first LAN's link vanish.
func TestTheUplinkMoves(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	other := busyRouter(t, l)
	l.configure(t, labConfig)
	l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	addr := g.leased(t)["address"]
	// Each LAN sees the host's own address there, or could not answer: neither has a route to the guests.
	other.Run(t, "ip", "route", "del", "default")
	reached := func(to string, want bool) {
		t.Helper()
		start := time.Now()
		nettest.Eventually(t, limit, func() error {
			out, err := g.Try("ping", "-c1", "-W1", to)
			if (err == nil) != want {
				return fmt.Errorf("%s is reached: %v\n%s", to, err == nil, out)
			}
			return nil
		})
		t.Logf("%s: %v after %v", to, want, time.Since(start).Round(time.Millisecond))
	}
	reached(lanAddr, true)
	// A conversation that goes on meanwhile is masqueraded anew.
	g.Start(t, "ping", "-q", "-i", "0.2", "198.51.100.1")
	l.router.Run(t, "ip", "route", "replace", "default", "via", "198.51.100.1")
	reached("198.51.100.1", true)
	if out := l.router.Run(t, "sysctl", "-n", "net.ipv4.conf.eth1.forwarding"); strings.TrimSpace(out) != "1" {
		t.Errorf("the new uplink's forwarding is %s", out)
	}
	nettest.Eventually(t, limit, func() error {
		if out := strings.TrimSpace(l.router.Run(t, "sysctl", "-n", "net.ipv4.conf.eth0.forwarding")); out != "0" {
			return fmt.Errorf("the former uplink's forwarding is %s", out)
		}
		return nil
	})
	l.router.Run(t, "ip", "link", "del", "eth1")
	reached("198.51.100.1", false)
	l.router.Run(t, "ip", "route", "replace", "default", "via", lanAddr)
	reached(lanAddr, true)
	if got := g.resolve(t, "guest"); len(got) != 1 || got[0] != addr {
		t.Errorf("the guest's name resolves to %v", got)
	}
	if plan := l.labnet(t, "plan"); plan != "" {
		t.Errorf("left to do:\n%s", plan)
	}
}

// TestAdoptedBridgeByTheFile uses a bridge of somebody else, and leaves it to him.
func TestAdoptedBridgeByTheFile(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.router.Run(t, "sh", "-c", "ip link add br0 type bridge; ip link set br0 up")
	if out, err := l.tryLabnet(t, "run"); err == nil || !strings.Contains(out, "adopt = true") {
		t.Fatalf("someone else's bridge is taken: %v %s", err, out)
	}
	l.configure(t, strings.Replace(labConfig, "attach =", "adopt  = true\n    attach =", 1))
	l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	g.leased(t)
	g.Run(t, "ping", "-c1", "-W5", lanAddr)
	nettest.Eventually(t, limit, func() error {
		if plan := l.labnet(t, "plan"); plan != "" {
			return fmt.Errorf("left to do:\n%s", plan)
		}
		return nil
	})
	l.labnet(t, "down")
	out := l.router.Run(t, "sh", "-c", "ip -o link show br0; ip -o -4 address show br0; ip -o link show vm1")
	if !strings.Contains(out, "br0") || strings.Contains(out, "10.0.0.1") || strings.Contains(out, "master") {
		t.Errorf("after down:\n%s", out)
	}
}
