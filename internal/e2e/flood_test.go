package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strconv"
	"testing"
	"time"

	"labnet/bench/dhcp/generator"
	"labnet/internal/nettest"
)

// floodConfig gives out the lower half of a large subnet.
const floodConfig = `network "lab" {
  address = "10.0.0.1/16"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    range {
      start = "10.0.1.0"
      end   = "10.0.127.255"
    }
  }
}
`

// floodMemory bounds the daemon's memory in a flood, in bytes, at its most: 65,536 offers are remembered at a time (leases.maxBlank)
// and half a kilobyte is plenty for each, the garbage collector lets as much again lie about, and 24 MiB are taken before.
const floodMemory = 128 << 20

// TestFlood is a guest that invents 50,000 machines, 40,000 a second; make test-long invents a million, as fast as it can.
func TestFlood(t *testing.T) { flood(t, 50_000, 40_000) }

func flood(t *testing.T, machines, rate int) {
	nettest.NeedRoot(t)
	const known = 200
	l := newLab(t)
	l.configure(t, floodConfig)
	// At level debug each message is a line.
	l.start(t, "--log-level", "warn")
	hostile := newFlooder(t, l.newGuest(t, "hostile", "vm1").Host, "eth0")
	l.attached(t, "vm1")
	clients := newCrowd(t, l.newGuest(t, "known", "vm2").Host)
	if r := leaseAll(t, clients, known); r.Exchanges != known {
		t.Fatalf("%d of %d clients have a lease", r.Exchanges, known)
	}
	before, counted := l.memory(t), l.counters(t)

	v := &invention{rand.New(rand.NewPCG(1, 2)), netip.MustParseAddr("10.0.0.1")}
	over := make(chan error, 1)
	go func() {
		over <- hostile.flood(machines, rate, func(b []byte) []byte {
			switch n := v.Uint32() % 100; {
			case n < 60:
				return v.discover(b)
			case n < 99:
				return v.request(b, netip.AddrFrom4([4]byte{10, 0, byte(128 + v.Uint32()%128), byte(v.Uint32())}))
			default: // one that is granted
				return v.request(b, netip.AddrFrom4([4]byte{10, 0, byte(64 + v.Uint32()%32), byte(v.Uint32())}))
			}
		})
	}()
	renewed, slowest := 0, time.Duration(0)
	for going := true; going; {
		select {
		case err := <-over:
			if err != nil {
				t.Fatal(err)
			}
			going = false
		default:
		}
		r, err := clients.Run(t.Context(), generator.Load{Workload: generator.Renew, Window: 32, Count: known / 4, Rate: 200})
		if err != nil {
			t.Fatal(err)
		}
		if r.Repeated > 0 || r.Lost > 0 || r.NAKs > 0 || r.Wrong > 0 {
			t.Errorf("of %d renewals %d weren't answered within %v, %d never, %d were refused; %s", r.Exchanges, r.Repeated, generator.DefaultRetry, r.Lost, r.NAKs, r.Example)
		}
		renewed += r.Exchanges
		slowest = max(slowest, r.Ack(1))
	}
	took := time.Since(hostile.began)
	after, c := l.memory(t), l.counters(t).since(counted)
	t.Logf("%d machines in %v (%.0f/s); %d renewals meanwhile, the slowest in %v; memory %d MiB before, %d MiB after; %v",
		machines, took.Round(time.Millisecond), float64(machines)/took.Seconds(), renewed, slowest.Round(time.Microsecond), before>>20, after>>20, c)
	if after > floodMemory {
		t.Errorf("the daemon's memory grew from %d MiB to %d MiB at its most", before>>20, after>>20)
	}
	if heard := c.sum("") - c["ack_renew"]; heard < machines {
		t.Errorf("%d of %d messages are accounted for: %v", heard, machines, c)
	}
	newcomer := l.newGuest(t, "newcomer", "vm3")
	newcomer.udhcpc(t)
	newcomer.leased(t)
}

// TestGarbage sends 100,000 datagrams to port 67 that are no messages, or damaged ones. Each is counted, and serving goes on.
func TestGarbage(t *testing.T) {
	nettest.NeedRoot(t)
	const datagrams = 100_000
	l := newLab(t)
	l.configure(t, floodConfig)
	l.start(t, "--log-level", "warn")
	hostile := newFlooder(t, l.newGuest(t, "hostile", "vm1").Host, "eth0")
	l.attached(t, "vm1")
	pid, before := l.pid(t), l.counters(t)
	v := &invention{rand.New(rand.NewPCG(3, 4)), netip.MustParseAddr("10.0.0.1")}
	err := hostile.flood(datagrams, 50_000, func(b []byte) []byte {
		if v.Uint32()%2 == 0 {
			return frame(b, v.mac(), func(b []byte) []byte { return v.noise(b, v.IntN(1472)) })
		}
		return v.damaged(b)
	})
	if err != nil {
		t.Fatal(err)
	}
	var c counters
	nettest.Eventually(t, limit, func() error {
		c = l.counters(t).since(before)
		if heard := c.sum("") - c["malformed_served"] - c["clone_detected"]; heard < datagrams {
			return fmt.Errorf("%d of %d datagrams are accounted for: %v", heard, datagrams, c)
		}
		return nil
	})
	t.Log(c)
	if c["panic"] != 0 {
		t.Errorf("%d messages met a bug", c["panic"])
	}
	for _, reason := range []string{"too_short", "bad_cookie", "not_a_request", "bad_header", "no_type", "server_message", "unknown_type", "no_identity"} {
		if c[reason] == 0 {
			t.Errorf("none was counted as %s", reason)
		}
	}
	if got := l.pid(t); got != pid {
		t.Errorf("the daemon is process %d, and was %d", got, pid)
	}
	g := l.newGuest(t, "guest", "vm2")
	g.udhcpc(t)
	g.leased(t)
}

// attached waits until a link is a port of the bridge.
func (l *lab) attached(t *testing.T, link string) {
	t.Helper()
	nettest.Eventually(t, limit, func() error { return contains(l.router.Run(t, "ip", "-o", "link", "show", link), " master br0 ") })
}

// newCrowd is known clients on a link of their own.
func newCrowd(t *testing.T, h *nettest.Host) *generator.Crowd {
	t.Helper()
	var c *generator.Crowd
	var err error
	h.Do(t, func() {
		c, err = generator.Open(generator.Config{Interface: "eth0", Mode: generator.Unicast, Server: netip.MustParseAddr("10.0.0.1")})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func leaseAll(t *testing.T, c *generator.Crowd, count int) generator.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := c.Run(ctx, generator.Load{Workload: generator.New, Window: 16, Count: count})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// memory is what the daemon has had in RAM at its most, in bytes.
func (l *lab) memory(t *testing.T) int64 { return peakMemory(t, l.pid(t)) }

// peakMemory is what a process has had in RAM at its most, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(read(t, fmt.Sprintf("/proc/%d/status", pid)))
	if found == nil {
		t.Fatal("no VmHWM")
	}
	kib, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
