package e2e

import (
	bytewise "encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// TestWhatWaitsForUpstreamsPassesOn has questions wait for an upstream that says nothing until another daemon has taken over: over UDP, over TCP one behind
// the other, and half of one.
func TestWhatWaitsForUpstreamsPassesOn(t *testing.T) {
	nettest.NeedRoot(t)
	for _, tc := range []struct {
		name   string
		follow func(t *testing.T, l *lab, s *supervisor)
	}{
		{"exec", func(t *testing.T, l *lab, _ *supervisor) { l.labnet(t, "upgrade") }},
		{"systemd", func(t *testing.T, _ *lab, s *supervisor) {
			s.end(unix.SIGTERM)
			s.start(t)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLabWithoutDNS(t)
			var speaks atomic.Bool
			var heard atomic.Int32
			startScripted(t, l.lan, "192.0.2.1:5300", func(q *dns.Msg, _ bool) *dns.Msg {
				if !strings.HasPrefix(strings.ToLower(q.Question[0].Name), "slow") {
					return nil // a probe
				}
				heard.Add(1)
				if !speaks.Load() {
					return nil
				}
				answer := new(dns.Msg).SetReply(q)
				answer.RecursionAvailable = true
				answer.Answer = []dns.RR{&dns.A{
					Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 80),
				}}
				return answer
			})
			l.configure(t, upstreamConfig)
			s := newSupervisor(t, l)
			s.start(t)
			g := l.newGuest(t, "guest", "vm1")
			g.udhcpc(t)
			g.leased(t)

			var udp, tcp net.Conn
			g.Do(t, func() {
				var err error
				if udp, err = net.Dial("udp4", "10.0.0.1:53"); err == nil {
					tcp, err = net.Dial("tcp4", "10.0.0.1:53")
				}
				if err != nil {
					t.Error(err)
				}
			})
			if t.Failed() {
				t.FailNow()
			}
			defer udp.Close()
			defer tcp.Close()
			deadline := time.Now().Add(limit)
			_ = udp.SetDeadline(deadline)
			_ = tcp.SetDeadline(deadline)
			message := func(id uint16, name string) []byte {
				q := new(dns.Msg).SetQuestion(name+".example.org.", dns.TypeA)
				q.Id = id
				q.SetEdns0(1232, true)
				text, err := q.Pack()
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
			framed := func(id uint16, name string) []byte {
				text := message(id, name)
				return append(bytewise.BigEndian.AppendUint16(nil, uint16(len(text))), text...)
			}
			send := func(conn net.Conn, text []byte) {
				t.Helper()
				if _, err := conn.Write(text); err != nil {
					t.Fatal(err)
				}
			}
			half := framed(4, "slow-d")
			send(udp, message(1, "slow-A"))
			send(tcp, append(framed(2, "slow-b"), framed(3, "slow-c")...))
			nettest.Eventually(t, limit, func() error {
				if heard.Load() < 3 {
					return errorOf("the upstream hasn't heard all questions")
				}
				return nil
			})
			send(tcp, half[:7])
			tc.follow(t, l, s)
			speaks.Store(true)
			send(tcp, half[7:])

			buffer := make([]byte, 4096)
			n, err := udp.Read(buffer)
			if err != nil {
				t.Fatalf("over UDP: %v", err)
			}
			wantSlow(t, buffer[:n], 1, "slow-A.example.org.")
			want := map[uint16]string{2: "slow-b.example.org.", 3: "slow-c.example.org.", 4: "slow-d.example.org."}
			for range 3 {
				if _, err := io.ReadFull(tcp, buffer[:2]); err != nil {
					t.Fatalf("over TCP: %v", err)
				}
				text := buffer[2 : 2+bytewise.BigEndian.Uint16(buffer)]
				if _, err := io.ReadFull(tcp, text); err != nil {
					t.Fatalf("over TCP: %v", err)
				}
				id := bytewise.BigEndian.Uint16(text)
				wantSlow(t, text, id, want[id])
				delete(want, id)
			}
		})
	}
}

func wantSlow(t *testing.T, text []byte, id uint16, name string) {
	t.Helper()
	var answer dns.Msg
	if err := answer.Unpack(text); err != nil {
		t.Fatal(err)
	}
	opt := answer.IsEdns0()
	if answer.Id != id || len(answer.Answer) != 1 || answer.Question[0].Name != name || opt == nil || !opt.Do() {
		t.Errorf("question %d for %s is answered by\n%v", id, name, &answer)
	}
}

// TestWhatIsStoredAndNotWantedGoes changes the network while no daemon runs: sockets at addresses that aren't the configuration's any more are closed,
// and what isn't ours too.
func TestWhatIsStoredAndNotWantedGoes(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	one := strings.Replace(labConfig, "bridge {", "bridge {\n    name = \"br0\"", 1)
	two := one + strings.NewReplacer(`"lab"`, `"other"`, "10.0.0.1", "10.9.0.1", "vm*", "other*", "br0", "br9", "  dhcp", "  dns {\n    domain = \"other.internal\"\n  }\n  dhcp").Replace(one)
	l.configure(t, two)
	s := newSupervisor(t, l)
	s.start(t)
	s.end(unix.SIGTERM)
	stranger, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := stranger.(*net.UDPConn).File()
	_ = stranger.Close()
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	for i := range s.stored {
		if s.stored[i].name == "will" {
			s.stored[i].name = "control" // names prove nothing
		}
	}
	s.stored = append(s.stored, stored{"dns_10.0.0.1_53", file})
	s.mu.Unlock()
	l.configure(t, one)
	s.start(t)
	for _, name := range s.names() {
		if strings.Contains(name, "10.9.0.1") || strings.Contains(name, "br9") || name == "will" {
			t.Errorf("%s is still stored", name)
		}
	}
	if out := l.router.Run(t, "ss", "-Hlnu"); strings.Contains(out, "10.9.0.1") {
		t.Errorf("the other network's sockets are open:\n%s", out)
	}
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	g.leased(t)
	if got := g.resolve(t, "guest"); len(got) != 1 {
		t.Errorf("the guest's name has %q", got)
	}
	// The address comes back by a reload, and must be free for it.
	for range 2 {
		l.configure(t, two)
		l.labnet(t, "reload")
		l.configure(t, one)
		l.labnet(t, "reload")
	}
	s.end(unix.SIGTERM)
	s.start(t)
}

// TestHooksAndWaitsOutliveAnUpgrade leases while the daemon is taken over: hooks are told of every lease, once, and who waits for one goes on waiting.
func TestHooksAndWaitsOutliveAnUpgrade(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	told := l.listen(t, "")
	l.configure(t, strings.Replace(wideConfig, "/22", "/16", 1)+fmt.Sprintf("hook \"all\" {\n  url = \"http://%s/\"\n}\n", told.addr))
	l.start(t, "--log-level", "info")
	s := newSwarm(t, l.newGuest(t, "swarm", "vm1").Host)
	late := swarmMAC(1 << 20)
	waited := make(chan error, 1)
	go func() {
		out, err := l.tryLabnet(t, "leases", "wait", late.String(), "--timeout", "50s")
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		waited <- err
	}()
	var next atomic.Int64
	var over atomic.Bool
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for !over.Load() {
				if _, err := s.lease(swarmMAC(int(next.Add(1))), 10); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		begun := next.Load()
		l.labnet(t, "upgrade")
		nettest.Eventually(t, limit, func() error {
			if next.Load() < begun+20 {
				return errorOf("hardly anybody leases")
			}
			return nil
		})
	}
	over.Store(true)
	running.Wait()
	if _, err := s.lease(late, 10); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("who waited for a lease: %v", err)
	}
	want := len(s.record())
	nettest.Eventually(t, limit, func() error {
		macs := map[string]bool{}
		events := told.of("lease.bound")
		for _, e := range events {
			macs[e.Lease.MAC] = true
		}
		if len(macs) != want || len(events) != want {
			return fmt.Errorf("%d events about %d clients, of %d", len(events), len(macs), want)
		}
		return nil
	})
}

// TestTheServiceIsUpgraded has the daemon taken over under the unit's user and capabilities.
func TestTheServiceIsUpgraded(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.asService(t)
	l.configure(t, labConfig)
	l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	g.udhcpc(t)
	g.leased(t)
	pid := l.pid(t)
	for range 2 {
		if out := l.labnet(t, "upgrade"); !strings.Contains(out, "took over from") {
			t.Errorf("an upgrade says %q", out)
		}
		if got := g.resolve(t, "guest"); len(got) != 1 {
			t.Errorf("the guest's name has %q", got)
		}
	}
	if now := l.pid(t); now != pid {
		t.Errorf("process %d has become %d", pid, now)
	}
}
