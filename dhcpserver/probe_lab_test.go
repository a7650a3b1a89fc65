package dhcpserver

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
	"labnet/leases"
)

func probing(c *Config) { c.ConflictProbe = true }

// newProbingLab is a lab whose addresses are probed, after the first sweep.
func newProbingLab(t *testing.T, config func(*Config)) *lab {
	t.Helper()
	l := newLab(t, func(c *Config) {
		probing(c)
		if config != nil {
			config(c)
		}
	}, nil)
	l.swept(t)
	return l
}

// swept waits until every address of the pool is known to be free, or used.
func (l *lab) swept(t *testing.T) {
	t.Helper()
	nettest.Eventually(t, patience, func() error {
		for _, a := range l.table.Candidates(nil, "lab", sweepNext, time.Now()) {
			if l.server.probe.stale(a, time.Now()) {
				return fmt.Errorf("nothing is known of %v", a)
			}
		}
		return nil
	})
}

// forget makes the server know of no free address.
func (l *lab) forget() {
	l.server.probe.mu.Lock()
	defer l.server.probe.mu.Unlock()
	l.server.probe.free = fading[time.Duration]{}
}

// squat puts a machine with a static address on the bridge, and returns it with its hardware address.
func (l *lab) squat(t *testing.T, name, addr string) (*nettest.Host, string) {
	t.Helper()
	h := nettest.NewHost(t, name)
	plug(t, l.router, "br0", name, h, "eth0")
	h.Run(t, "ip", "address", "add", addr+"/24", "dev", "eth0")
	mac := macOf(t, h, "eth0")
	return h, hardwareText(leases.HWAddr(mac[:]))
}

func (l *lab) count(r Reason) uint64 { return l.server.Stats()[string(r)] }

// logLines returns the lines that contain every text.
func (l *lab) logLines(texts ...string) (found []string) {
	for line := range strings.Lines(l.log.String()) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			found = append(found, line)
		}
	}
	return found
}

// TestAGuestNeverGetsAnAddressThatIsInUse: a real client that insists on a static guest's address gets another one; the log
// and the store name the machine that has it.
func TestAGuestNeverGetsAnAddressThatIsInUse(t *testing.T) {
	for _, tc := range []struct {
		name    string
		unknown bool
	}{
		{"nothing is known of it", true},
		{"it came in silence after the sweep", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newProbingLab(t, nil)
			_, mac := l.squat(t, "squatter", "10.0.0.120")
			if tc.unknown {
				l.forget()
			}
			guest := nettest.NewHost(t, "udhcpc")
			plug(t, l.router, "br0", "tap1", guest, "eth0")
			dir := t.TempDir()
			write(t, filepath.Join(dir, "hook"), hook, 0o755)
			_, output := guest.Start(t, "udhcpc", "-f", "-i", "eth0", "-s", dir+"/hook", "-t", "20", "-T", "1", "-r", "10.0.0.120")
			var told map[string]string
			nettest.Eventually(t, 30*time.Second, func() (err error) {
				told, err = readHook(dir, "bound")
				return err
			})
			if told["ip"] == "10.0.0.120" || told["ip"] == "" {
				t.Errorf("the guest got %q\n%s", told["ip"], output())
			}
			if lines := l.logLines("reason=address_conflict", "addr=10.0.0.120", "other="+mac, "level=WARN"); len(lines) != 1 {
				t.Errorf("logged %q in\n%s", lines, l.log)
			}
			nettest.Eventually(t, patience, func() error {
				for _, r := range l.table.Leases("lab") { // committed ones
					if r.Addr == addrOf("10.0.0.120") && r.State == leases.Declined && r.HWAddr.String() == mac {
						return nil
					}
				}
				return fmt.Errorf("not stored: %+v", l.table.Leases("lab"))
			})
		})
	}
}

// TestTheStockMakesOffersImmediate: after the first sweep no newcomer waits.
func TestTheStockMakesOffersImmediate(t *testing.T) {
	l := newProbingLab(t, nil)
	for i := range 50 {
		l.client.send(discover(benchMAC(i), ""), broadcastFrom)
		h, err := l.client.next(patience)
		if err != nil {
			t.Fatal(err)
		}
		if a := readAnswer(t, h.payload); a.kind != typeOffer {
			t.Fatalf("client %d: %+v", i, a)
		}
	}
	if waited, skipped := l.count(ReasonProbing), l.count(ReasonProbeSkipped); waited != 0 || skipped != 0 {
		t.Errorf("%d waited, %d were not proven", waited, skipped)
	}
}

// TestAStaticGuestIsHeard: one that comes after the sweep and speaks is noticed without being asked.
func TestAStaticGuestIsHeard(t *testing.T) {
	l := newProbingLab(t, nil)
	l.client.claim("10.0.0.130", macB) // a broadcast request that names its sender
	nettest.Eventually(t, patience, func() error {
		if l.server.probe.lastUser(addrOf("10.0.0.130")) != macB {
			return errors.New("not heard")
		}
		return nil
	})
	l.client.send(discover(macA, "10.0.0.130"), broadcastFrom)
	h, err := l.client.next(patience)
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, h.payload); a.kind != typeOffer || a.yiaddr == addrOf("10.0.0.130") {
		t.Errorf("offered %+v", a)
	}
}

// TestProbesFollowALinkMadeAnew: a static guest is found on the new one.
func TestProbesFollowALinkMadeAnew(t *testing.T) {
	l := newProbingLab(t, nil)
	l.router.Run(t, "ip", "link", "del", "br0")
	bridge(t, l.router, "br0", "10.0.0.1/24")
	l.router.Run(t, "ip", "link", "set", "tap0", "master", "br0")
	nettest.Eventually(t, patience, func() error {
		if l.count(ReasonLinkReplaced) != 1 {
			return errors.New("the server hasn't noticed")
		}
		return nil
	})
	_, mac := l.squat(t, "squatter", "10.0.0.120")
	// The bridge takes its time with a new port.
	l.router.Run(t, "ping", "-c", "1", "-w", "20", "-W", "1", "10.0.0.120")
	l.forget()
	l.client.send(discover(macA, "10.0.0.120"), broadcastFrom)
	h, err := l.client.next(patience)
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, h.payload); a.kind != typeOffer || a.yiaddr == addrOf("10.0.0.120") {
		t.Errorf("offered %+v", a)
	}
	if len(l.logLines("reason=address_conflict", "other="+mac)) != 1 {
		t.Errorf("log:\n%s", l.log)
	}
}

// TestClonesOnTheLink: two machines with one client identifier, both alive, get two addresses and one warning.
func TestClonesOnTheLink(t *testing.T) {
	l := newProbingLab(t, nil)
	id := opt(optClientID, 255, 1, 2, 3)
	get := func(mac, want string) string {
		t.Helper()
		for _, kind := range []messageType{typeOffer, typeAck} {
			q := with(discover(mac, want), id)
			if kind == typeAck {
				q = with(selecting(mac, want), id)
			}
			l.client.send(q, broadcastFrom)
			h, err := l.client.next(patience)
			if err != nil {
				t.Fatalf("%v\n%s", err, l.log)
			}
			a := readAnswer(t, h.payload)
			if a.kind != kind {
				t.Fatalf("answer of type %d, want %d\n%s", a.kind, kind, l.log)
			}
			want = a.yiaddr.String()
		}
		l.client.claim(want, mac)
		return want
	}
	first := get(macA, "10.0.0.120")
	second := get(macB, "")
	if first != "10.0.0.120" || second == first {
		t.Errorf("addresses %s and %s", first, second)
	}
	if again := get(macB, ""); again != second {
		t.Errorf("the clone moved from %s to %s", second, again)
	}
	warnings := l.logLines("level=WARN", "reason=clone_detected", "client=52:54:00:00:00:0b", "other=52:54:00:00:00:0a")
	if len(warnings) != 1 || len(l.logLines("clone_detected")) != 1 {
		t.Errorf("warnings: %q", warnings)
	}
}

// TestAnotherServerRaisesTheAlarm: dnsmasq on a guest answers, and a client follows it.
func TestAnotherServerRaisesTheAlarm(t *testing.T) {
	l := newLab(t, probing, nil)
	rogue := [6]byte{2, 0x66}
	offer := offerFrame("10.0.0.66", "10.0.0.66", rogue)
	for range 3 {
		l.server.Overhear(offer)
	}
	l.server.Overhear(offerFrame(server, server, ourMAC)[:headersLen])
	mac := leases.HWAddr(rogue[:]).String()
	found := l.server.RogueServers()
	if len(found) != 1 || found[0].Server != addrOf("10.0.0.66") || found[0].HWAddr.String() != mac || found[0].Client != macA || !found[0].Offered.IsValid() || found[0].Times != 3 {
		t.Errorf("found %+v", found)
	}
	before := l.count(ReasonRogueServer)
	q := with(request{kind: typeRequest, mac: macA}, optIP(optServerID, "10.0.0.67"), optIP(optRequestedAddr, "10.0.0.201"))
	l.client.send(q, broadcastFrom)
	nettest.Eventually(t, patience, func() error {
		if l.count(ReasonRogueServer) <= before || len(l.server.RogueServers()) != 2 {
			return errors.New("not noticed")
		}
		return nil
	})
	for text, want := range map[string]int{
		"server=10.0.0.66 source=10.0.0.66 other=" + mac: 1,
		"server=10.0.0.67": 1,
	} {
		if lines := l.logLines("level=WARN", "reason=rogue_server", text); len(lines) != want {
			t.Errorf("%s: logged %q\n%s", text, lines, l.log)
		}
	}
	for _, line := range l.logLines("server=10.0.0.1 ") {
		t.Errorf("we take ourselves for another: %s", line)
	}
}

// TestAGuestThatAnswersEveryARP keeps no newcomer out; the log names it, once.
func TestAGuestThatAnswersEveryARP(t *testing.T) {
	l := newProbingLab(t, nil)
	l.client.mu.Lock()
	for i := range 100 {
		l.client.answers[netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)})] = [6]byte([]byte(squatter))
	}
	l.client.mu.Unlock()
	l.forget()
	for i := range 40 {
		mac := benchMAC(1000 + i)
		nettest.Eventually(t, patience, func() error { // a NAK makes a client start again
			var a answer
			for _, q := range []request{discover(mac, ""), {}} {
				if q.kind == 0 {
					q = selecting(mac, a.yiaddr.String())
				}
				l.client.send(q, broadcastFrom)
				h, err := l.client.next(patience)
				if err != nil {
					t.Fatalf("client %d: %v\n%s", i, err, l.log)
				}
				a = readAnswer(t, h.payload)
			}
			if a.kind != typeAck {
				return fmt.Errorf("client %d: type %d", i, a.kind)
			}
			return nil
		})
	}
	if lines := l.logLines("level=WARN", "reason=conflict_ignored", "other="+hardwareText(squatter)); len(lines) != 1 {
		t.Errorf("logged %q in\n%s", lines, l.log)
	}
}

// TestConflictsAreFoundThroughARelay: what a relay of our link asks for is proven like everything else.
func TestConflictsAreFoundThroughARelay(t *testing.T) {
	l := newProbingLab(t, nil)
	l.squat(t, "squatter", "10.0.0.120")
	l.forget()
	q := discover(macA, "10.0.0.120")
	q.giaddr, q.hops = "10.0.0.9", 1
	l.client.send(q, "10.0.0.9")
	h, err := l.client.next(patience)
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, h.payload); a.kind != typeOffer || a.yiaddr == addrOf("10.0.0.120") || h.dst.Addr() != netip.MustParseAddr("10.0.0.9") {
		t.Errorf("offered %v to %v", a.yiaddr, h.dst)
	}
}
