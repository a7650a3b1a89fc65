package dnsserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

func TestTakenPort(t *testing.T) {
	for _, protocol := range []string{"udp", "tcp"} {
		for _, address := range []string{"127.10.0.1", "0.0.0.0"} {
			t.Run(protocol+" "+address, func(t *testing.T) {
				cfg := labs(freePort(t))
				var owner io.Closer
				var err error
				if at := netip.AddrPortFrom(netip.MustParseAddr(address), cfg.Port).String(); protocol == "udp" {
					owner, err = net.ListenPacket("udp4", at)
				} else {
					owner, err = net.Listen("tcp4", at)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer owner.Close()
				_, err = Listen(cfg, testLeases(), slog.New(slog.DiscardHandler))
				taken, ok := errors.AsType[*PortTakenError](err)
				if !ok || taken.PID != os.Getpid() || taken.Process == "" || taken.Protocol != protocol || !errors.Is(err, syscall.EADDRINUSE) {
					t.Fatalf("got %v (%+v)", err, taken)
				}
				// Nothing is left open of what didn't work out.
				_ = owner.Close()
				s, err := Listen(cfg, testLeases(), slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				s.Close()
			})
		}
	}
}

// Two servers that would share a port by SO_REUSEPORT must not.
func TestSecondServerIsRefused(t *testing.T) {
	cfg := labs(freePort(t))
	startServer(t, cfg, testLeases())
	if _, err := Listen(cfg, testLeases(), slog.New(slog.DiscardHandler)); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}

func TestReconfigure(t *testing.T) {
	up := startUpstream(t, world)
	cfg := withUpstreams(t, up.addr)
	s := startServer(t, cfg, testLeases())
	ask(t, "udp", s.at, "www.example.org.", dns.TypeA)
	kept, err := net.Dial("tcp", s.at)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()

	bad := cfg
	bad.Networks = append([]Network{{Name: "bad", Domain: "bad..name", Address: netip.MustParsePrefix("127.12.0.1/24")}}, cfg.Networks...)
	if err := s.Reconfigure(bad); err == nil {
		t.Fatal("a bad domain was accepted")
	}
	one := cfg
	one.Networks = cfg.Networks[:1]
	if err := s.Reconfigure(one); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, 5*time.Second, func() error {
		conn, err := net.Dial("tcp", s.dev)
		if err == nil {
			_ = conn.Close()
			return errors.New("the removed network still listens")
		}
		return nil
	})
	if got, want := brief(ask(t, "udp", s.at, "db.dev.internal.", dns.TypeA)), "NXDOMAIN:"; got != want { // the upstream's, which is private
		t.Errorf("got %s, want %s", got, want)
	}
	before := up.queries.Load()
	if got, want := brief(exchangeStream(t, kept, "www.example.org.")), "NOERROR: www.example.org. 300 A 192.0.2.80"; got != want {
		t.Errorf("over the kept connection: got %s, want %s", got, want)
	}
	if up.queries.Load() != before {
		t.Error("the cache didn't survive")
	}
	if err := s.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	if got, want := brief(ask(t, "udp", s.dev, "db.", dns.TypeA)), "NOERROR aa: db. 60 A 127.11.0.130"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A change that is taken back at once meets the sockets that it has just retired.
func TestAnAddressComesBackWhileItsQuestionsAreUnderWay(t *testing.T) {
	up := startUpstream(t, func(x exchange) {
		time.Sleep(300 * time.Millisecond)
		world(x)
	})
	cfg := withUpstreams(t, up.addr)
	s := startServer(t, cfg, testLeases())
	conn, err := net.Dial("udp", s.dev)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(packMsg(new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA))); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, 5*time.Second, func() error {
		if up.queries.Load() == 0 {
			return errors.New("the upstream isn't asked")
		}
		return nil
	})
	one := cfg
	one.Networks = cfg.Networks[:1]
	for _, next := range []Config{one, cfg, one, cfg} {
		if err := s.Reconfigure(next); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := brief(ask(t, "udp", s.dev, "db.", dns.TypeA)), "NOERROR aa: db. 60 A 127.11.0.130"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Queries and changes at once: the race detector watches what they share.
func TestReconfigureUnderLoad(t *testing.T) {
	up := startUpstream(t, world)
	cfg := withUpstreams(t, up.addr)
	s := startServer(t, cfg, testLeases())
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for _, c := range localCases[:20] {
				if got := brief(ask(t, "udp", s.at, c.name, c.qtype)); got != c.want {
					t.Errorf("%s: got %s, want %s", c.name, got, c.want)
				}
				answer := ask(t, "udp", s.at, "www.example.org.", dns.TypeA)
				for _, rr := range answer.Answer {
					rr.Header().Ttl = 300 // which counts down while this goes on
				}
				if got, want := brief(answer), "NOERROR: www.example.org. 300 A 192.0.2.80"; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
	for range 20 {
		if err := s.Reconfigure(cfg); err != nil {
			t.Error(err)
		}
	}
	asking.Wait()
}

func exchangeStream(t testing.TB, conn net.Conn, name string) *dns.Msg {
	t.Helper()
	c := dns.Conn{Conn: conn}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := c.WriteMsg(new(dns.Msg).SetQuestion(name, dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	m, err := c.ReadMsg()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// RFC 7766 section 6.2.1.1: a slow answer doesn't hold up the ones behind it.
func TestPipelining(t *testing.T) {
	release := make(chan struct{})
	up := startUpstream(t, func(x exchange) {
		<-release
		world(x)
	})
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	conn, err := net.Dial("tcp", s.at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var all []byte
	for i, n := range []string{"www.example.org.", "vm1.lab.internal.", "builder.lab.internal."} {
		q := new(dns.Msg).SetQuestion(n, dns.TypeA)
		q.Id = uint16(i)
		wire := packMsg(q)
		all = append(binary.BigEndian.AppendUint16(all, uint16(len(wire))), wire...)
	}
	// In pieces, as TCP may deliver it.
	for i, b := range all {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	c := dns.Conn{Conn: conn}
	for _, want := range []uint16{1, 2, 0} {
		m, err := c.ReadMsg()
		if err != nil {
			t.Fatal(err)
		}
		if m.Id != want || len(m.Answer) == 0 {
			t.Errorf("got the answer %d, want %d: %v", m.Id, want, m)
		}
		if want == 2 {
			close(release)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s := startServer(t, labs(freePort(t)), testLeases())
	var open []net.Conn
	for range maxConnsPerClient + 5 {
		conn, err := net.Dial("tcp", s.at)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		open = append(open, conn)
	}
	nettest.Eventually(t, 5*time.Second, func() error {
		if n := s.Stats()["busy"]; n != 5 {
			return fmt.Errorf("%d connections refused, want 5", n)
		}
		return nil
	})
	if got := exchangeStream(t, open[0], "vm1.lab.internal."); len(got.Answer) != 1 {
		t.Errorf("the first connection got %v", got)
	}
	// A connection that says nothing is ended, and makes room.
	_ = open[1].SetReadDeadline(time.Now().Add(firstByte + 5*time.Second))
	if _, err := open[1].Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a silent connection: %v", err)
	}
}

// What is under way when the server stops is still answered.
func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	up := startUpstream(t, func(x exchange) {
		close(arrived)
		<-release
		world(x)
	})
	cfg := withUpstreams(t, up.addr)
	s, err := Listen(cfg, testLeases(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	conn, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr("127.10.0.1"), cfg.Port).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(packMsg(new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA))); err != nil {
		t.Fatal(err)
	}
	<-arrived
	cancel()
	close(release)
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	buffer := make([]byte, 1500)
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(buffer[:n]); err != nil || len(m.Answer) != 1 {
		t.Errorf("got %v, %v", m, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Reconfigure(cfg); !errors.Is(err, errStopped) {
		t.Errorf("Reconfigure after the end: %v", err)
	}
}

func TestWrongConfigurations(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"domain twice", func(c *Config) { c.Networks[1].Domain = "LAB.internal" }, "network dev: another network has the domain lab.internal."},
		{"address twice", func(c *Config) { c.Networks[1].Address = c.Networks[0].Address }, "network dev: 127.10.0.1 is the address of network lab too"},
		{"empty domain", func(c *Config) { c.Networks[0].Domain = "" }, "network lab: domain: \"\" is not a domain name: empty label"},
		{"host name with dots", func(c *Config) { c.HostName = "a.b" }, "network lab: the host's name: \"a.b\" is not a label"},
		{"host without address", func(c *Config) { c.Networks[0].Hosts[0].Addr = netip.Addr{} }, "network lab: host Builder has no address"},
		{"CNAME beside a host", func(c *Config) {
			c.Networks[0].Records = []Record{{Name: "builder", Type: "CNAME", Values: []string{"x"}}}
		}, "network lab: builder.lab.internal. has a CNAME and other records"},
		{"two CNAMEs", func(c *Config) {
			c.Networks[0].Records = []Record{{Name: "x", Type: "CNAME", Values: []string{"y"}}, {Name: "x", Type: "CNAME", Values: []string{"z"}}}
		}, "network lab: x.lab.internal. has a CNAME and other records, or two"},
		{"CNAME at the apex", func(c *Config) { c.Networks[0].Records = []Record{{Name: "@", Type: "CNAME", Values: []string{"y"}}} }, "network lab: lab.internal. has a CNAME"},
		{"unknown type", func(c *Config) { c.Networks[0].Records = []Record{{Name: "x", Type: "B", Values: []string{"y"}}} }, `network lab: record x: "B" is not a type`},
		{"SOA", func(c *Config) { c.Networks[0].Records = []Record{{Name: "x", Type: "SOA", Values: []string{"y"}}} }, "network lab: record x: SOA is made by the server"},
		{"bad value", func(c *Config) {
			c.Networks[0].Records = []Record{{Name: "x", Type: "A", Values: []string{"300.1.1.1"}}}
		}, `network lab: record x A: "300.1.1.1": not in presentation format`},
		{"two lines", func(c *Config) {
			c.Networks[0].Records = []Record{{Name: "x", Type: "A", Values: []string{"192.0.2.1\n$INCLUDE /etc/passwd"}}}
		}, "a value is one line"},
		{"two records by parentheses", func(c *Config) {
			c.Networks[0].Records = []Record{{Name: "x", Type: "A", Values: []string{"( 192.0.2.1"}}}
		}, "network lab: record x A"},
		{"upstream is ourselves", func(c *Config) {
			c.Upstreams = []UpstreamGroup{{Name: "u", Servers: []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.11.0.129"), c.Port)}}}
		}, "is this server itself"},
		{"two defaults", func(c *Config) { c.Upstreams = []UpstreamGroup{{Name: "a"}, {Name: "b"}} }, "upstreams a and b have no domains"},
		{"one domain twice", func(c *Config) {
			c.Upstreams = []UpstreamGroup{{Name: "a", Domains: []string{"x.org"}}, {Name: "b", Domains: []string{"X.org."}}}
		}, "upstreams a and b are both for x.org."},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := labs(freePort(t))
			c.change(&cfg)
			s, err := Listen(cfg, testLeases(), slog.New(slog.DiscardHandler))
			if err == nil {
				s.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want %q in it", err, c.want)
			}
		})
	}
}
