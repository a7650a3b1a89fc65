//go:build long

package e2e

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// powercuts is labnet in an emulated machine whose power is cut again and again, with a crowd of clients outside.
type powercuts struct {
	machine *commanded
	swarm   *swarm
	crowd   *crowd
	random  *rand.Rand

	cached, kept, compared int
	inStart, outlived      int // cuts while labnet starts, and those that came after it
	changes                int // of the disk by a start
	booted                 time.Duration
}

func newPowercuts(t *testing.T) *powercuts {
	t.Helper()
	nettest.NeedRoot(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := newCommanded(t, crowdConfig, newVolatileDisk(emptyFileSystem(t)))
	s := newSwarm(t, m.place)
	return &powercuts{
		machine: m, swarm: s, random: rand.New(rand.NewPCG(seed, 0)),
		crowd: &crowd{swarm: s, server: netip.MustParseAddr("10.0.0.1"), clients: crowdClients, seed: seed, done: map[string]int{}},
	}
}

// start boots the machine, and returns what labnet has lost.
func (p *powercuts) start(t *testing.T) []string {
	t.Helper()
	began := time.Now()
	p.machine.on(t)
	before := p.machine.disk.changed()
	p.swarm.ahead = p.machine.serve(t)
	p.changes = p.machine.disk.changed() - before
	p.booted += time.Since(began)
	recorded := p.swarm.record()
	p.compared += len(recorded)
	if complaints := p.machine.do(t, "dmesg | grep -e EXT4-fs.error -e EXT4-fs.warning -e I/O.error || true"); complaints != "" {
		t.Errorf("the file system is no longer one: %s", complaints)
	}
	return append(breaches(p.machine.leases(t), recorded), p.swarm.broken()...)
}

// cut lets the crowd loose until some more ACKs came, and takes the power away a few changes of the disk later.
func (p *powercuts) cut(t *testing.T, round int) {
	t.Helper()
	over := make(chan struct{})
	wait := p.crowd.run(round, over)
	enough := p.swarm.count() + 50 + p.random.IntN(1000)
	nettest.Eventually(t, bootLimit, func() error {
		if p.swarm.count() < enough {
			return errorOf("too few ACKs come")
		}
		return nil
	})
	select {
	case <-p.machine.disk.blowAfter(1 + p.random.IntN(200)):
	case <-time.After(bootLimit):
		t.Fatal("labnet changes nothing on its disk any more")
	}
	p.dark(t)
	close(over)
	wait()
	p.swarm.over = nil
}

// cutInStart takes the power away while labnet starts.
func (p *powercuts) cutInStart(t *testing.T) {
	t.Helper()
	p.machine.on(t)
	// More than it takes would never come.
	blown := p.machine.disk.blowAfter(1 + p.random.IntN(max(1, p.changes*9/10)))
	name := p.machine.tell(t, "start")
	nettest.Eventually(t, bootLimit, func() error {
		select {
		case <-blown:
			return nil
		default:
		}
		if _, ended := p.machine.heard(t, name); ended {
			p.outlived++
			return nil
		}
		return errorOf("labnet neither starts nor changes anything")
	})
	p.inStart++
	p.dark(t)
}

// dark takes the power away.
func (p *powercuts) dark(t *testing.T) {
	t.Helper()
	p.machine.off(t)
	cached, kept := p.machine.disk.cut(p.random)
	p.cached += cached
	p.kept += kept
}

// TestPowerCuts takes the power from a machine with labnet under load, 20 times, and holds it to every ACK that a client received.
func TestPowerCuts(t *testing.T) {
	const cuts = 20
	began := time.Now()
	p := newPowercuts(t)
	// The first start makes the database: about as many changes as the ones below count.
	for p.changes = 60; p.inStart < 4; {
		p.cutInStart(t)
	}
	for round := range cuts + 1 {
		for _, fault := range p.start(t) {
			t.Errorf("after %d cuts: %s", round, fault)
		}
		if t.Failed() {
			t.Fatalf("the daemon's log:\n%s", p.machine.do(t, "tail -n 100 /tmp/log"))
		}
		t.Logf("after %d cuts: %d ACKs, %d leases compared", round, p.swarm.count(), p.compared)
		if round < cuts {
			p.cut(t, round)
		}
		if round%3 == 2 && round < cuts {
			p.cutInStart(t)
		}
	}
	recorded := p.swarm.record()
	t.Logf("%d power cuts under load and %d in the start: %d ACKs, %d leases compared, none lost, none doubled; %d flushes, %d sectors were in the cache at a cut, %d of them survived; %v, %v of it to boot; the clients: %v",
		cuts, p.inStart-p.outlived, p.swarm.count(), p.compared, p.machine.disk.flushes, p.cached, p.kept, time.Since(began).Round(time.Second), p.booted.Round(time.Second), p.crowd.done)
	if len(recorded) < crowdClients/4 || p.compared < cuts*crowdClients/8 || p.kept == p.cached {
		t.Errorf("%d clients have a lease, %d of %d sectors are lost: nothing is proved", len(recorded), p.cached-p.kept, p.cached)
	}
	for i := range crowdClients {
		if granted, ok := recorded[swarmMAC(i).String()]; ok {
			p.swarm.own(t, p.machine.place, granted.addr)
			p.swarm.renewed(t, i, granted.addr)
		}
	}
}

// TestPowerCutsOfADiskThatLies shows that TestPowerCuts can fail: where flushes do nothing, leases are missing.
func TestPowerCutsOfADiskThatLies(t *testing.T) {
	const cuts = 5
	p := newPowercuts(t)
	p.machine.disk.lies = true
	for round := range cuts {
		p.start(t)
		p.cut(t, round)
		if faults := p.start(t); len(faults) > 0 {
			t.Logf("after %d cuts, %d sectors of %d lost: %d breaches, such as: %s", round+1, p.cached-p.kept, p.cached, len(faults), strings.Join(faults[:min(3, len(faults))], "; "))
			return
		}
		p.machine.off(t)
	}
	t.Errorf("after %d cuts of a disk that lies no lease is missing: the test proves nothing", cuts)
}
