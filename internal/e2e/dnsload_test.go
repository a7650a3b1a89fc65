package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/miekg/dns"

	"labnet/bench/dns/generator"
	"labnet/internal/nettest"
)

// rcvbufErrors is how many datagrams a host's sockets had no room for, since it is there.
func rcvbufErrors(t *testing.T, h *nettest.Host) int {
	t.Helper()
	lines := strings.Split(h.Run(t, "cat", "/proc/self/net/snmp"), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "Udp: InDatagrams") {
			continue
		}
		values := strings.Fields(lines[i+1])
		for k, name := range strings.Fields(line) {
			if name == "RcvbufErrors" {
				n, err := strconv.Atoi(values[k])
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	t.Fatalf("no RcvbufErrors in\n%s", strings.Join(lines, "\n"))
	return 0
}

// crowd opens clients that ask the gateway, one on each of the guest's addresses, each with up to window questions in flight.
func (g *guest) crowd(t *testing.T, sources []netip.Addr, window int) *generator.Clients {
	t.Helper()
	var clients *generator.Clients
	g.Do(t, func() {
		var err error
		if clients, err = generator.Open(generator.Config{Server: netip.MustParseAddrPort("10.0.0.1:53"), Sources: sources, Window: window}); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() { _ = clients.Close() })
	return clients
}

// TestAReloadLosesNoQuestion reloads again and again under 50,000 questions a second, for the daemon's own names and cached ones, that are asked
// whether those before have answers or not; beside it the same without reloads. On a machine that is too slow for it, it is as many as go
// through.
func TestAReloadLosesNoQuestion(t *testing.T) {
	nettest.NeedRoot(t)
	const hosts = 500
	l := newLab(t)
	text := func(change int) string {
		var b strings.Builder
		fmt.Fprintf(&b, `network "lab" {
  address = "10.0.0.1/16"
  bridge {
    attach = ["vm*"]
  }
  dns {
    domain = "lab.internal"
    record "extra" {
      type  = "A"
      value = "10.0.200.%d"
    }
  }
`, 1+change%2)
		for i := range hosts {
			fmt.Fprintf(&b, "  host \"h%03d\" {\n    address = \"10.0.%d.%d\"\n  }\n", i, 100+i/250, 1+i%250)
		}
		return b.String() + "}\n"
	}
	l.configure(t, text(0))
	d, _ := l.start(t)
	g := l.newGuest(t, "asker", "vm1")
	g.Run(t, "ip", "link", "set", "eth0", "up")
	var sources []netip.Addr
	for i := range 16 {
		addr := netip.AddrFrom4([4]byte{10, 0, 50, byte(1 + i)})
		g.Run(t, "ip", "address", "add", addr.String()+"/16", "dev", "eth0")
		sources = append(sources, addr)
	}
	g.Run(t, "dig", "+time=5", "+tries=3", "@10.0.0.1", "www.example.org") // that it is cached
	set := generator.NewSet(hosts+1, func(i int) string {
		if i == hosts {
			return "www.example.org"
		}
		return fmt.Sprintf("h%03d.lab.internal", i)
	}, func(i int, _ []byte) netip.Addr {
		if i == hosts {
			return netip.MustParseAddr("192.0.2.80")
		}
		return netip.AddrFrom4([4]byte{10, 0, byte(100 + i/250), byte(1 + i%250)})
	})
	clients := g.crowd(t, sources, 256)
	for _, reloads := range []bool{false, true} {
		before := rcvbufErrors(t, l.router) + rcvbufErrors(t, g.Host)
		done := make(chan *generator.Result, 1)
		failed := make(chan error, 1)
		go func() {
			result, err := clients.Run(t.Context(), generator.Load{From: generator.Drawn(set, generator.Zipf(hosts+1)), Rate: 50_000, Limit: 4 * time.Second, Timeout: 10 * time.Second})
			failed <- err
			done <- result
		}()
		reloaded := 0
		for len(failed) == 0 {
			if !reloads {
				time.Sleep(50 * time.Millisecond)
				continue
			}
			reloaded++
			l.configure(t, text(reloaded))
			l.reload(t, d, "is reloaded")
		}
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		r := <-done
		t.Logf("%d answers, %.0f a second, %d reloads meanwhile; the slowest of a thousand took %v", r.Answers, r.Rate(), reloaded, r.Times.Quantile(0.999))
		dropped := rcvbufErrors(t, l.router) + rcvbufErrors(t, g.Host) - before
		if r.Lost+r.Failed+r.Wrong+r.Strays+r.Unsent+dropped > 0 || reloads && reloaded < 2 {
			t.Errorf("of %d questions during %d reloads %d were lost, %d failed and %d were answered wrongly (%s); %d datagrams found no room",
				r.Answers, reloaded, r.Lost, r.Failed, r.Wrong, r.Example, dropped)
		}
	}
}

// TestALeaseIsInTheNextAnswer asks for a name as soon as its client has the ACK, and after it was told that it is over.
func TestALeaseIsInTheNextAnswer(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, wideConfig)
	l.start(t)
	g := l.newGuest(t, "swarm", "vm1")
	s := newSwarm(t, g.Host)
	g.Run(t, "ip", "link", "set", "eth0", "up")
	g.Run(t, "ip", "address", "add", "10.0.3.250/22", "dev", "eth0")
	g.Run(t, "dig", "+time=1", "+tries=10", "@10.0.0.1", "gateway.lab.internal") // until the bridge has its port
	var conn net.Conn
	g.Do(t, func() {
		var err error
		if conn, err = net.Dial("udp4", "10.0.0.1:53"); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	asker := &dns.Conn{Conn: conn}
	defer asker.Close()
	resolve := func(name string) *dns.Msg {
		t.Helper()
		_ = asker.SetDeadline(time.Now().Add(limit))
		if err := asker.WriteMsg(new(dns.Msg).SetQuestion(name+".lab.internal.", dns.TypeA)); err != nil {
			t.Fatal(err)
		}
		answer, err := asker.ReadMsg()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	for i := range 100 {
		name, mac := fmt.Sprintf("next%d", i), swarmMAC(i)
		if answer := resolve(name); answer.Rcode != dns.RcodeNameError {
			t.Fatalf("before its lease %s has the answer\n%v", name, answer)
		}
		discover, err := dhcpv4.NewDiscovery(mac, dhcpv4.WithBroadcast(true), dhcpv4.WithOption(dhcpv4.OptHostName(name)))
		if err != nil {
			t.Fatal(err)
		}
		offer, err := s.ask(discover, 5)
		if err != nil {
			t.Fatal(err)
		}
		request, err := dhcpv4.NewRequestFromOffer(offer, dhcpv4.WithBroadcast(true), dhcpv4.WithOption(dhcpv4.OptHostName(name)))
		if err != nil {
			t.Fatal(err)
		}
		ack, err := s.ask(request, 5)
		if err != nil {
			t.Fatal(err)
		}
		answer := resolve(name)
		if len(answer.Answer) != 1 || !answer.Answer[0].(*dns.A).A.Equal(ack.YourIPAddr) {
			t.Fatalf("%s has %v, and the next answer is\n%v", name, ack.YourIPAddr, answer)
		}
		if i%10 == 0 {
			l.labnet(t, "leases", "release", name)
			if answer := resolve(name); answer.Rcode != dns.RcodeNameError {
				t.Fatalf("after the end of its lease %s has the answer\n%v", name, answer)
			}
		}
	}
}
