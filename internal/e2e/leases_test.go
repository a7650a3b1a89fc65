package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/internal/nettest"
)

// smallConfig has two addresses for everybody and one reserved, and short leases.
const smallConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    lease_time = "60s"
    range {
      start = "10.0.0.100"
      end   = "10.0.0.101"
    }
  }
  host "builder" {
    mac     = "52:54:00:aa:00:09"
    address = "10.0.0.10"
    aliases = ["ci"]
  }
}
`

func TestReservation(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, smallConfig)
	l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	g.Run(t, "ip", "link", "set", "eth0", "address", "52:54:00:aa:00:09")
	g.udhcpc(t)
	if got := g.leased(t); got["address"] != "10.0.0.10" {
		t.Errorf("the reservation gets %s", got["address"])
	}
	for _, name := range []string{"builder", "ci.lab.internal"} {
		if got := g.resolve(t, name); !slices.Contains(got, "10.0.0.10") {
			t.Errorf("%s resolves to %v", name, got)
		}
	}
	if got := g.resolve(t, "-x", "10.0.0.10"); !slices.Equal(got, []string{"builder.lab.internal."}) {
		t.Errorf("10.0.0.10 resolves back to %v", got)
	}
	if out := l.labnet(t, "leases", "show", "builder"); !strings.Contains(out, "10.0.0.10") {
		t.Errorf("leases show says\n%s", out)
	}
}

func TestReleaseTakesTheNameAtOnce(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	stays, goes := l.newGuest(t, "stays", "vm1"), l.newGuest(t, "goes", "vm2")
	stays.udhcpc(t)
	stays.leased(t)
	goes.udhcpc(t)
	addr := goes.leased(t)["address"]
	if got := stays.resolve(t, "goes"); !slices.Equal(got, []string{addr}) {
		t.Fatalf("the name resolves to %v before the release", got)
	}
	// SIGUSR2: release (udhcpc -R also does at the end).
	goes.Run(t, "sh", "-c", "kill -USR2 $(cat "+goes.dir+"/pid)")
	nettest.Eventually(t, 5*time.Second, func() error {
		for _, one := range l.leases(t) {
			if one.Name == "goes" && one.State == "bound" {
				return fmt.Errorf("still bound: %+v", one)
			}
		}
		return nil
	})
	if out := stays.Run(t, "dig", "+search", "+time=2", "goes"); !strings.Contains(out, "NXDOMAIN") {
		t.Errorf("after the release the name still answers:\n%s", out)
	}
	if out := stays.Run(t, "dig", "-x", addr); !strings.Contains(out, "NXDOMAIN") {
		t.Errorf("after the release the address still answers:\n%s", out)
	}
}

func TestOperatorReleases(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	s := newSwarm(t, g.Host)
	if _, err := s.lease(swarmMAC(1), 10); err != nil {
		t.Fatal(err)
	}
	if out := l.labnet(t, "leases", "release", swarmMAC(1).String()); !strings.HasPrefix(out, "released 10.0.0.") {
		t.Errorf("release says %q", out)
	}
	if found := l.leases(t); len(found) != 1 || found[0].State != "released" {
		t.Errorf("after the release: %+v", found)
	}
	if out, err := l.tryLabnet(t, "leases", "release", "nobody"); err == nil || !strings.Contains(out, `"nobody"`) {
		t.Errorf("releasing nobody: %v %s", err, out)
	}
}

// TestAnExpiredLeaseIsReusedOnlyThen fills the pool, and lets a third client ask until the first lease runs out.
func TestAnExpiredLeaseIsReusedOnlyThen(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, smallConfig)
	d, _ := l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	s := newSwarm(t, g.Host)
	var first, second *dhcpv4.DHCPv4
	var err error
	if first, err = s.lease(swarmMAC(1), 10); err != nil {
		t.Fatal(err)
	}
	leasedAt := time.Now()
	if second, err = s.lease(swarmMAC(2), 10); err != nil {
		t.Fatal(err)
	}
	if first.YourIPAddr.Equal(second.YourIPAddr) {
		t.Fatalf("two clients have %v", first.YourIPAddr)
	}
	if reply, err := s.lease(swarmMAC(3), 2); err == nil {
		t.Fatalf("a third client gets %v of a full pool", reply.YourIPAddr)
	}
	// A restart must not make room either.
	l.stop(t, d, syscall.SIGTERM)
	l.start(t)
	if reply, err := s.lease(swarmMAC(3), 2); err == nil {
		t.Fatalf("after a restart a third client gets %v of a full pool", reply.YourIPAddr)
	}
	// The second keeps its lease alive; only the first one's may be reused.
	held, _ := netip.AddrFromSlice(second.YourIPAddr.To4())
	s.own(t, g.Host, held)
	for time.Since(leasedAt) < 2*time.Minute {
		if reply, err := s.rebind(swarmMAC(2), held, 5); err != nil || reply.MessageType() != dhcpv4.MessageTypeAck {
			t.Fatalf("renewing: %v %v", reply, err)
		}
		reply, err := s.lease(swarmMAC(3), 2)
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		// The lease time counts from the server's clock, which read it before the ACK arrived here.
		if after := time.Since(leasedAt); after < 59*time.Second {
			t.Errorf("the address is reused after %v of 60 s", after)
		}
		if !reply.YourIPAddr.Equal(first.YourIPAddr) {
			t.Errorf("the third client gets %v, want the expired %v", reply.YourIPAddr, first.YourIPAddr)
		}
		return
	}
	t.Error("the expired lease is never reused")
}
