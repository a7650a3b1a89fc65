package dhcpserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"labnet/internal/nettest"
	"labnet/leases"
)

const patience = 10 * time.Second

// lab is a router with a bridge, a guest beside it, and a server on the bridge.
type lab struct {
	router, guest *nettest.Host
	table         *leases.Table
	store         *leases.Memory
	server        *Server
	log           *logBuffer
	client        *rawClient
	stop          func() // ends the server
	xid           uint32
	marked        bool
}

func newLab(t testing.TB, config func(*Config), network func(*leases.Network)) *lab {
	t.Helper()
	l := &lab{router: nettest.NewHost(t, "router"), guest: nettest.NewHost(t, "guest"), store: leases.NewMemory(), log: new(logBuffer), xid: 0x1000}
	bridge(t, l.router, "br0", "10.0.0.1/24")
	plug(t, l.router, "br0", "tap0", l.guest, "eth0")
	awaitUp(t, l.router, "br0")
	awaitUp(t, l.guest, "eth0")
	l.table = newTable(t, l.store, network)
	runTable(t, l.table)
	cfg := testConfig()
	if config != nil {
		config(&cfg)
	}
	l.server, l.stop = serve(t, l.router, cfg, l.table, l.log)
	l.client = newRawClient(t, l.guest, "eth0", macOf(t, l.router, "br0"))
	return l
}

func bridge(t testing.TB, h *nettest.Host, name, addr string) {
	t.Helper()
	h.Run(t, "ip", "link", "add", name, "type", "bridge", "forward_delay", "0")
	h.Run(t, "ip", "link", "set", name, "address", "52:54:00:ff:00:01", "up")
	h.Run(t, "ip", "address", "add", addr, "dev", name)
	// The raw client is many machines, and they take over each other's addresses.
	h.Run(t, "sysctl", "-qw", "net.ipv4.neigh."+name+".locktime=0")
}

// plug joins a guest to a bridge.
func plug(t testing.TB, router *nettest.Host, bridge, port string, guest *nettest.Host, iface string) {
	t.Helper()
	nettest.Link(t, router, port, guest, iface)
	router.Run(t, "ip", "link", "set", port, "master", bridge)
	// The kernel notices a carrier in its own time; until then the links drop what comes.
	nettest.Eventually(t, patience, func() error {
		for _, out := range []string{
			router.Run(t, "ip", "link", "show", "dev", port), router.Run(t, "ip", "link", "show", "dev", bridge), guest.Run(t, "ip", "link", "show", "dev", iface),
		} {
			if !strings.Contains(out, "state UP") {
				return fmt.Errorf("not up yet: %s", out)
			}
		}
		return nil
	})
}

// awaitUp waits until the link takes packets to send: the kernel begins that behind everybody's back, up to a second after the
// link has a carrier, and drops what is sent before.
func awaitUp(t testing.TB, h *nettest.Host, iface string) {
	t.Helper()
	nettest.Eventually(t, patience, func() error {
		if out := h.Run(t, "ip", "-o", "link", "show", iface); !strings.Contains(out, "state UP") {
			return fmt.Errorf("it isn't up: %s", out)
		}
		return nil
	})
}

func macOf(t testing.TB, h *nettest.Host, iface string) (mac [6]byte) {
	t.Helper()
	h.Do(t, func() {
		link, err := net.InterfaceByName(iface)
		if err != nil {
			t.Error(err)
			return
		}
		mac = [6]byte(link.HardwareAddr)
	})
	return mac
}

func listen(t testing.TB, h *nettest.Host, cfg Config, table *leases.Table, log *slog.Logger) (s *Server, err error) {
	t.Helper()
	h.Do(t, func() { s, err = Listen(cfg, table, log) })
	return s, err
}

// serve runs a server until stop is called, or the test ends.
func serve(t testing.TB, h *nettest.Host, cfg Config, table *leases.Table, log *logBuffer) (s *Server, stop func()) {
	t.Helper()
	s, err := listen(t, h, cfg, table, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// logBuffer is a log that a test can read.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lab) wait(d time.Duration) { time.Sleep(d) }

// markerMAC has a reservation in every lab that plays rows; it proves that nothing more comes.
const markerMAC = "\x52\x54\x00\x00\x00\xee"

func withMarker(change func(*leases.Network)) func(*leases.Network) {
	return func(n *leases.Network) {
		if change != nil {
			change(n)
		}
		n.Reservations = append(n.Reservations, leases.Reservation{Name: "marker", HWAddr: markerMAC, Addr: netip.MustParseAddr("10.0.0.51")})
	}
}

// exchange sends q, and after it a renewal of the marker's, whose ACK goes the longest way through the server: after the
// commit, and by the socket that is served last. What hasn't arrived before that ACK doesn't come.
func (l *lab) exchange(t *testing.T, q request, from string) (*answer, Reason) {
	t.Helper()
	l.bindMarker(t)
	before := l.server.Stats()
	l.xid++
	q.xid = l.xid
	l.client.send(q, from)
	l.xid++
	m := renew(markerMAC, "10.0.0.51")
	m.xid = l.xid
	l.client.send(m, "10.0.0.51")

	var got *answer
	for {
		h, err := l.client.next(patience)
		if err != nil {
			t.Fatalf("%v\n%s", err, l.log)
		}
		a := readAnswer(t, h.payload)
		if a.xid == m.xid {
			break
		}
		if a.xid != q.xid || got != nil {
			t.Fatalf("an unexpected answer: %+v", a)
		}
		got = &a
		checkAddresses(t, l, q, from, h, a)
		checkInvariants(t, q, &a)
	}
	var reason Reason
	nettest.Eventually(t, patience, func() error {
		var seen []Reason
		now := l.server.Stats()
		if now[string(ReasonAckRenew)] == before[string(ReasonAckRenew)] {
			return errors.New("the marker isn't counted yet")
		}
		for r, n := range now {
			n -= before[r]
			if Reason(r) == ReasonAckRenew {
				n-- // the marker's
			}
			if n != 0 && !slices.Contains(beside, Reason(r)) {
				seen = append(seen, Reason(r))
			}
		}
		if len(seen) != 1 {
			return fmt.Errorf("reasons counted: %v", seen)
		}
		reason = seen[0]
		return nil
	})
	return got, reason
}

// beside are reasons that are counted besides that of the decision.
var beside = []Reason{ReasonCloneDetected, ReasonRogueServer, ReasonProbing, ReasonConflict, ReasonOptionsDropped, ReasonMalformedServed}

// bindMarker gives the marker its lease.
func (l *lab) bindMarker(t *testing.T) {
	t.Helper()
	if l.marked {
		return
	}
	l.client.send(selecting(markerMAC, "10.0.0.51"), broadcastFrom)
	if _, err := l.client.next(patience); err != nil {
		t.Fatalf("%v\n%s", err, l.log)
	}
	nettest.Eventually(t, patience, func() error {
		if l.server.Stats()[string(ReasonAckSelecting)] != 1 {
			return errors.New("the marker's ACK isn't counted")
		}
		return nil
	})
	l.marked = true
}

// checkAddresses holds the headers of a reply against D1 to D5.
func checkAddresses(t *testing.T, l *lab, q request, from string, h heard, a answer) {
	t.Helper()
	mac := [6]byte([]byte(testMAC))
	if len(q.mac) == 6 {
		mac = [6]byte([]byte(q.mac))
	}
	want := heard{dstMAC: mac, dst: netip.AddrPortFrom(a.yiaddr, clientPort)}
	switch {
	case q.giaddr != "":
		want.dst = netip.AddrPortFrom(netip.MustParseAddr(q.giaddr), serverPort)
	case a.kind == typeNak || q.noHardware || q.flags&flagBroadcast != 0 && q.ciaddr == "":
		want = heard{dstMAC: broadcastMAC, dst: netip.AddrPortFrom(broadcastAddr, clientPort)}
	case q.ciaddr != "" && q.kind != typeDiscover && (q.kind == typeInform || q.ciaddr == a.yiaddr.String()):
		want.dst = netip.AddrPortFrom(netip.MustParseAddr(q.ciaddr), clientPort)
	case q.kind == typeInform:
		want.dst = netip.AddrPortFrom(netip.MustParseAddr(from), clientPort)
	}
	if h.dst != want.dst || h.dstMAC != want.dstMAC {
		t.Errorf("sent to %v at %x, want %v at %x", h.dst, h.dstMAC, want.dst, want.dstMAC)
	}
	if h.src.String() != "10.0.0.1:67" || h.srcMAC != l.client.server {
		t.Errorf("sent from %v at %x", h.src, h.srcMAC)
	}
}
