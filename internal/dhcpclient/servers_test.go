package dhcpclient

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

var servers = map[string]serve{"dnsmasq": dnsmasq, "dhcpd": dhcpd}

// TestLeasedRenewedReleased: from nothing to an address, for longer, and back into the server's hands.
func TestLeasedRenewedReleased(t *testing.T) {
	t.Parallel()
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t)
			s, _ := l.host(t, "server", "10.0.0.1/24")
			d := serve(t, s, "10.0.0", "50", "60", 3600, 6, 3000)
			h, _ := l.host(t, "client", "")
			c := run(t, h, nil)

			bound := c.await(Bound).Lease
			a, first, last := bound.Addr.Addr(), netip.MustParseAddr("10.0.0.50"), netip.MustParseAddr("10.0.0.60")
			if a.Less(first) || last.Less(a) || bound.Addr.Bits() != 24 || bound.Server.String() != "10.0.0.1" {
				t.Errorf("leased %v of %v", bound.Addr, bound.Server)
			}
			if len(bound.Routes) != 1 || bound.Routes[0].Via.String() != "10.0.0.1" || bound.MTU != 1400 || bound.Domain != "example.org" ||
				len(bound.Resolvers) != 1 || bound.Resolvers[0].String() != "192.0.2.53" {
				t.Errorf("the lease is %+v", bound)
			}
			for range 2 {
				if e := c.await(Renewed, Lost, Bound, Changed, Unanswered); e.Lease.Addr != bound.Addr || e.Lease.Renew > bound.Lifetime {
					t.Errorf("renewed to %+v", e.Lease)
				}
			}
			if !d.holds(t, bound.Addr.Addr()) {
				t.Errorf("%s doesn't know of the lease:\n%s", name, d.file(t))
			}
			if !strings.Contains(d.file(t), "vmhost") {
				t.Errorf("%s doesn't know the name:\n%s", name, d.file(t))
			}

			c.stop()
			h.Do(t, func() {
				if err := Release(c.cfg, bound.Addr.Addr(), bound.Server); err != nil {
					t.Error(err)
				}
			})
			nettest.Eventually(t, patience, func() error {
				if d.holds(t, bound.Addr.Addr()) {
					return fmt.Errorf("it isn't released:\n%s", d.file(t))
				}
				return nil
			})
		})
	}
}

func (d *daemon) file(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(d.leases)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// holds says whether the server's lease file has a lease in force for an address: a line of dnsmasq's, or the last block of dhcpd's.
func (d *daemon) holds(t *testing.T, addr netip.Addr) bool {
	t.Helper()
	file := d.file(t)
	if last := strings.LastIndex(file, "lease "+addr.String()+" {"); last >= 0 {
		return strings.Contains(file[last:], "\n  binding state active;")
	}
	return strings.Contains(file, " "+addr.String()+" ")
}

// TestRebound: the server is gone, and another one goes on with the address.
func TestRebound(t *testing.T) {
	t.Parallel()
	for name, pair := range map[string][2]serve{"dhcpd, then dnsmasq": {dhcpd, dnsmasq}, "dnsmasq, then dnsmasq": {dnsmasq, dnsmasq}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t)
			one, _ := l.host(t, "one", "10.0.0.1/24")
			two, _ := l.host(t, "two", "10.0.0.2/24")
			first := pair[0](t, one, "10.0.0", "50", "50", 3600, 5, 14)
			h, _ := l.host(t, "client", "")
			c := run(t, h, nil)
			bound := c.await(Bound).Lease
			// The first one is asked alone as long as it answers, so that the second one is there in time however slow the machine is.
			second := pair[1](t, two, "10.0.0", "50", "50", 3600, 5, 3000)
			first.stop(t)

			e := c.await(Changed, Lost)
			if e.Lease.Server.String() != "10.0.0.2" || e.Lease.Addr != bound.Addr {
				t.Errorf("rebound to %v of %v", e.Lease.Addr, e.Lease.Server)
			}
			// And that one is asked from here on.
			c.await(Renewed, Lost, Bound, Changed)
			if !second.holds(t, bound.Addr.Addr()) {
				t.Errorf("the second server doesn't know of the lease:\n%s", second.file(t))
			}
		})
	}
}

// TestExpires: nobody prolongs the lease.
func TestExpires(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	s, _ := l.host(t, "server", "10.0.0.1/24")
	d := dhcpd(t, s, "10.0.0", "50", "60", 20, 10, 16)
	h, _ := l.host(t, "client", "")
	c := run(t, h, nil)
	bound := c.await(Bound).Lease
	d.stop(t)
	if e := c.await(Unanswered); e.Lease.Addr != bound.Addr {
		t.Errorf("unanswered with %v", e.Lease.Addr)
	}
	if e := c.await(Lost); e.Lease.Addr != bound.Addr || !strings.Contains(e.Reason, "expired") {
		t.Errorf("lost %v: %s", e.Lease.Addr, e.Reason)
	}
	dhcpd(t, s, "10.0.0", "50", "60", 20, 10, 16)
	c.await(Bound)
}

// TestTheSubnetChanges: when the link comes back the server has other addresses, and refuses the former one.
func TestTheSubnetChanges(t *testing.T) {
	t.Parallel()
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t)
			s, _ := l.host(t, "server", "10.0.0.1/24")
			d := serve(t, s, "10.0.0", "50", "60", 3600, 1800, 3000)
			h, port := l.host(t, "client", "")
			c := run(t, h, nil)
			c.await(Bound)
			l.hub.Run(t, "ip", "link", "set", port, "down")
			d.stop(t)
			s.Run(t, "ip", "address", "flush", "dev", "eth0")
			s.Run(t, "ip", "address", "add", "10.0.9.1/24", "dev", "eth0")
			serve(t, s, "10.0.9", "50", "60", 3600, 1800, 3000)
			l.hub.Run(t, "ip", "link", "set", port, "up")

			if e := c.await(Lost); !strings.Contains(e.Reason, "10.0.9.1 refuses the address") {
				t.Errorf("lost since %s", e.Reason)
			}
			if e := c.await(Bound); !strings.HasPrefix(e.Lease.Addr.String(), "10.0.9.") {
				t.Errorf("leased %v", e.Lease.Addr)
			}
		})
	}
}

// TestTheLinkComesBack: on the same network nothing is lost. The client's interface is a bridge that has a carrier by itself, as one with
// guests has; the uplink's counts.
func TestTheLinkComesBack(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	s, _ := l.host(t, "server", "10.0.0.1/24")
	dnsmasq(t, s, "10.0.0", "50", "60", 3600, 1800, 3000)
	h, port := l.host(t, "client", "")
	h.Run(t, "ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
	h.Run(t, "ip", "link", "set", "eth0", "master", "br0")
	h.Run(t, "ip", "link", "set", "br0", "up")
	guest := nettest.NewHost(t, "guest")
	nettest.Link(t, h, "vm0", guest, "eth0")
	h.Run(t, "ip", "link", "set", "vm0", "master", "br0")
	awaitUp(t, h, "br0")
	c := run(t, h, func(c *Config) { c.Interface, c.Uplink = "br0", "eth0" })
	bound := c.await(Bound).Lease

	l.hub.Run(t, "ip", "link", "set", port, "down")
	nettest.Eventually(t, patience, func() error {
		if out := h.Run(t, "ip", "-o", "link", "show", "eth0"); strings.Contains(out, "state UP") {
			return fmt.Errorf("it is up: %s", out)
		}
		return nil
	})
	l.hub.Run(t, "ip", "link", "set", port, "up")
	if e := c.await(Renewed, Lost, Bound, Changed); e.Lease.Addr != bound.Addr {
		t.Errorf("renewed %v", e.Lease.Addr)
	}
}

// TestTheInterfaceIsMadeAnew: it has another index then, and no address.
func TestTheInterfaceIsMadeAnew(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	s, _ := l.host(t, "server", "10.0.0.1/24")
	dnsmasq(t, s, "10.0.0", "50", "60", 3600, 1800, 3000)
	h, port := l.host(t, "client", "")
	c := run(t, h, nil)
	bound := c.await(Bound).Lease
	l.hub.Run(t, "ip", "link", "del", port)
	c.await(Lost)
	l.plug(t, h)
	// The identifier counts, not the hardware address, which is another.
	if e := c.await(Bound); e.Lease.Addr != bound.Addr {
		t.Errorf("leased %v after %v", e.Lease.Addr, bound.Addr)
	}
}

// TestTheFormerAddress is asked for again, as after a restart, and goes on being used while nobody answers.
func TestTheFormerAddress(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	s, _ := l.host(t, "server", "10.0.0.1/24")
	d := dnsmasq(t, s, "10.0.0", "50", "60", 3600, 1800, 3000)
	h, _ := l.host(t, "client", "")
	c := run(t, h, nil)
	bound := c.await(Bound).Lease
	c.stop()
	if !d.holds(t, bound.Addr.Addr()) {
		t.Fatal("it was given back without a wish")
	}
	d.stop(t)

	c = run(t, h, func(c *Config) { c.Former, c.Held = bound.Addr.Addr(), true })
	c.await(Unanswered)
	dnsmasq(t, s, "10.0.0", "50", "60", 3600, 1800, 3000)
	if e := c.await(Bound, Lost); e.Lease.Addr != bound.Addr {
		t.Errorf("leased %v after %v", e.Lease.Addr, bound.Addr)
	}
}

// TestTheAddressIsTaken: a machine that has it without asking answers ARP, and the server is told.
func TestTheAddressIsTaken(t *testing.T) {
	t.Parallel()
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t)
			s, _ := l.host(t, "server", "10.0.0.1/24")
			d := serve(t, s, "10.0.0", "50", "50", 3600, 1800, 3000)
			stranger, _ := l.host(t, "stranger", "10.0.0.50/24")
			h, _ := l.host(t, "client", "")
			c := run(t, h, nil)
			d.await(t, "DHCPDECLINE")
			d.stop(t)
			stranger.Run(t, "ip", "address", "flush", "dev", "eth0")
			// Without its memory of the conflict the server gives it again.
			serve(t, s, "10.0.0", "50", "50", 3600, 1800, 3000)
			if e := c.await(Bound, Lost); e.Lease.Addr.String() != "10.0.0.50/24" {
				t.Errorf("leased %v", e.Lease.Addr)
			}
		})
	}
}

// TestAnotherTakesTheAddress: it is defended once and then given up, or kept by who may not yield.
func TestAnotherTakesTheAddress(t *testing.T) {
	t.Parallel()
	for name, stubborn := range map[string]bool{"yields": false, "never yields": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLAN(t)
			s, _ := l.host(t, "server", "10.0.0.1/24")
			d := dnsmasq(t, s, "10.0.0", "50", "50", 3600, 1800, 3000)
			stranger, _ := l.host(t, "stranger", "")
			h, _ := l.host(t, "client", "")
			c := run(t, h, func(c *Config) { c.NeverYield = stubborn })
			bound := c.await(Bound).Lease
			stranger.Run(t, "ip", "address", "add", bound.Addr.String(), "dev", "eth0")
			addr := bound.Addr.Addr().String()
			// Five claims within five seconds; one is answered, the next one counts.
			stranger.Run(t, "busybox", "arping", "-U", "-c", "5", "-I", "eth0", "-s", addr, addr)
			if stubborn {
				if !strings.Contains(c.log.String(), "another machine uses this machine's address") {
					t.Error("nobody took the address")
				}
				if slices.ContainsFunc(c.soFar(), func(e Event) bool { return e.Kind == Lost }) {
					t.Error("the address was given up")
				}
				return
			}
			if e := c.await(Lost); !strings.Contains(e.Reason, "goes on using the address") {
				t.Errorf("lost since %s", e.Reason)
			}
			d.await(t, "DHCPDECLINE")
		})
	}
}
