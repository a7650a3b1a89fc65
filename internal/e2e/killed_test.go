package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/internal/nettest"
)

// wideConfig has room for the swarm.
const wideConfig = `network "lab" {
  address = "10.0.0.1/22"
  bridge {
    attach = ["vm*"]
  }
}
`

// crowdConfig has few more addresses than a crowd of clients, so that what one gives back another one gets soon.
const crowdConfig = `network "lab" {
  address = "10.0.0.1/22"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    range {
      start = "10.0.0.10"
      end   = "10.0.1.80"
    }
  }
}
`

// crowdClients leaves a third of crowdConfig's addresses: a quarter of them may rest.
const crowdClients = 200

// TestKilledUnderLoadLosesNoLease is for the ordinary run; make test-long has 200 rounds.
func TestKilledUnderLoadLosesNoLease(t *testing.T) { killed(t, 5) }

// killed kills the daemon by SIGKILL at random moments, while clients lease, renew, release and decline, or while it starts, and
// holds it to every ACK that they received.
func killed(t *testing.T, rounds int) {
	nettest.NeedRoot(t)
	began := time.Now()
	l := newLab(t)
	l.configure(t, crowdConfig)
	l.start(t, "--log-level", "info")
	g := l.newGuest(t, "swarm", "vm1")
	s := newSwarm(t, g.Host)
	l.knowsAll(t, g)
	c := &crowd{swarm: s, server: netip.MustParseAddr("10.0.0.1"), clients: crowdClients, seed: rand.Uint64(), rebinds: true, done: map[string]int{}}
	random := rand.New(rand.NewPCG(c.seed, 0))
	t.Logf("seed %d", c.seed)

	compared, inStart := 0, 0
	for round := range rounds {
		pid := l.pid(t)
		over := make(chan struct{})
		wait := c.run(round, over)
		acks := s.count()
		nettest.Eventually(t, limit, func() error {
			if s.count() == acks {
				return errorOf("nobody leases")
			}
			return nil
		})
		pause := random.IntN(300)
		if round%8 == 7 {
			pause *= 8 // until leases are on their way from the redo log into the database
		}
		time.Sleep(time.Duration(pause) * time.Millisecond)
		kill(t, pid)
		close(over)
		wait()
		if round%4 == 3 {
			// What it left is killed again while it starts.
			cmd, _ := l.router.Start(t, l.args(t, "run")...)
			time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
			kill(t, cmd.Process.Pid)
			inStart++
		}
		recorded := s.record()

		l.start(t, "--log-level", "info")
		for _, fault := range l.breaches(t, recorded) {
			t.Errorf("round %d: %s", round, fault)
		}
		for _, fault := range s.broken() {
			t.Errorf("round %d: %s", round, fault)
		}
		if t.Failed() {
			t.FailNow()
		}
		compared += len(recorded)
	}
	s.over = nil
	recorded := s.record()
	t.Logf("%d times killed, and %d times in the start: %d ACKs, %d leases compared, none lost, none doubled; %v; the clients: %v",
		rounds, inStart, s.count(), compared, time.Since(began).Round(100*time.Millisecond), c.done)
	for _, what := range []string{"lease", "lease again", "rebind", "reboot", "release", "decline"} {
		if c.done[what] == 0 {
			t.Errorf("no client has done this: %s", what)
		}
	}
	if len(recorded) < crowdClients/4 || compared < rounds*crowdClients/8 {
		t.Fatalf("only %d of %d clients have a lease: nothing is proved", len(recorded), crowdClients)
	}
	for i := range crowdClients {
		if granted, ok := recorded[swarmMAC(i).String()]; ok {
			s.renewed(t, i, granted.addr)
		}
	}
}

// kill kills a process that the test has started, and waits until it is gone.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, limit, func() error { return stillThere(pid) })
}

// knowsAll tells the router where every address of the network is, so that nobody needs to answer ARP for them.
func (l *lab) knowsAll(t *testing.T, g *guest) {
	t.Helper()
	mac := strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address"))
	var all strings.Builder
	for addr := netip.MustParseAddr("10.0.0.2"); addr.Less(netip.MustParseAddr("10.0.2.0")); addr = addr.Next() {
		fmt.Fprintf(&all, "neighbour replace %v lladdr %s dev br0 nud permanent\n", addr, mac)
	}
	file := l.dir + "/neighbours"
	write(t, file, all.String())
	l.router.Run(t, "ip", "-batch", file)
}

// breaches compares what the daemon has with what clients were granted: what is lost, shortened, moved or doubled.
func (l *lab) breaches(t *testing.T, granted map[string]acked) []string {
	t.Helper()
	return breaches(l.leases(t), granted)
}

// renewed has a client rebind, which must get the same address. The machine knows the way, or owns the address.
func (s *swarm) renewed(t *testing.T, i int, addr netip.Addr) {
	t.Helper()
	reply, err := s.rebind(swarmMAC(i), addr, 5)
	if err != nil {
		t.Error(err)
		return
	}
	if reply.MessageType() != dhcpv4.MessageTypeAck || reply.YourIPAddr.String() != addr.String() {
		t.Errorf("%v renews %v and gets %s %v", swarmMAC(i), addr, reply.MessageType(), reply.YourIPAddr)
	}
}
