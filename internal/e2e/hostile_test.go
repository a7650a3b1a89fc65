package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/internal/nettest"
)

// TestWhoOnlyAsksKeepsNobodyOut lets 254 invented machines be offered every address of a /24, and more of them go on asking: a
// client that wants a lease gets one, both after that and meanwhile.
func TestWhoOnlyAsksKeepsNobodyOut(t *testing.T) {
	nettest.NeedRoot(t)
	const machines, workers = 254, 16
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	s := newSwarm(t, l.newGuest(t, "hostile", "vm1").Host)

	numbers := make(chan int)
	offered := make(chan error, machines)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for i := range numbers {
				discover, err := dhcpv4.NewDiscovery(swarmMAC(i), dhcpv4.WithBroadcast(true))
				if err == nil {
					_, err = s.ask(discover, 10)
				}
				offered <- err
			}
		})
	}
	for i := range machines {
		numbers <- i
	}
	close(numbers)
	running.Wait()
	close(offered)
	for err := range offered {
		if err != nil {
			t.Fatalf("the pool isn't used up by offers: %v", err)
		}
	}
	if c := l.counters(t); c["offer_taken_back"] == 0 {
		t.Fatalf("the pool isn't used up by offers: %v", c)
	}

	after := l.newGuest(t, "after", "vm2")
	after.udhcpc(t)
	t.Logf("after them: %s", after.leased(t)["address"])

	stop := make(chan struct{})
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			mac := net.HardwareAddr{0x52, 0x54, byte(rand.Int()), byte(rand.Int()), byte(rand.Int()), byte(rand.Int())}
			if discover, err := dhcpv4.NewDiscovery(mac, dhcpv4.WithBroadcast(true)); err == nil {
				_, _ = s.conn.WriteTo(discover.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 67})
			}
		}
	})
	defer running.Wait()
	defer close(stop)
	meanwhile := l.newGuest(t, "meanwhile", "vm3")
	meanwhile.udhcpc(t)
	second := l.newGuest(t, "second", "vm4")
	second.dhclient(t)
	t.Logf("meanwhile: %s, %s", meanwhile.leased(t)["address"], second.leased(t)["address"])
	if c := l.counters(t); c.sum("nak_") != 0 {
		t.Errorf("somebody was refused: %v", c)
	}
}

// TestClones starts two machines that were copied from one image: both send one client identifier, and both live.
func TestClones(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t)
	const identifier = "0x3d:ff0000000100020000ab11c10e"
	clones := []*guest{l.newGuest(t, "original", "vm1"), l.newGuest(t, "copy", "vm2")}
	addrs := map[string]bool{}
	for _, g := range clones {
		g.udhcpc(t, "-C", "-x", identifier)
		addrs[g.leased(t)["address"]] = true
	}
	if len(addrs) != 2 {
		t.Fatalf("both have %v", addrs)
	}
	for round := range 2 {
		// SIGUSR1: renew.
		before := l.counters(t)
		for _, g := range clones {
			if err := os.Remove(g.leaseFile); err != nil {
				t.Fatal(err)
			}
			g.Run(t, "sh", "-c", "kill -USR1 $(cat "+g.dir+"/pid)")
		}
		for _, g := range clones {
			if got := g.leased(t)["address"]; !addrs[got] {
				t.Errorf("round %d: %s now has %s, of %v", round, g.name, got, addrs)
			}
		}
		if c := l.counters(t).since(before); c.sum("ack_renew")+c.sum("ack_rebind") < 2 || c.sum("nak_") != 0 {
			t.Errorf("round %d: %v", round, c)
		}
	}
	clones[0].Run(t, "ping", "-c1", "-W2", clones[1].leased(t)["address"])

	var warnings []string
	for line := range strings.Lines(d.output()) {
		if strings.Contains(line, "reason=clone_detected") && strings.Contains(line, "level=WARN") {
			warnings = append(warnings, line)
		}
	}
	if len(warnings) != 1 {
		t.Fatalf("%d warnings instead of one:\n%s", len(warnings), strings.Join(warnings, ""))
	}
	for _, g := range clones {
		mac := strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address"))
		if !strings.Contains(warnings[0], mac) {
			t.Errorf("the warning doesn't name %s: %s", mac, warnings[0])
		}
	}
	for _, one := range l.leases(t) {
		if one.State != "bound" || !addrs[one.Address] {
			t.Errorf("a third lease: %+v", one)
		}
	}
	if t.Failed() {
		t.Log(fmt.Sprint(l.counters(t)))
	}
}
