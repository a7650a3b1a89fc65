package e2e

import (
	bigend "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// dnsCounters is how often each reason has decided an answer.
func (l *lab) dnsCounters(t *testing.T) counters {
	t.Helper()
	var s struct{ DNS counters }
	if err := json.Unmarshal([]byte(l.labnet(t, "status", "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s.DNS
}

// resident is the memory that a process holds now, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kb int
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

// mess makes messages that nobody should send: random bytes, and good questions with something wrong.
type mess struct{ *rand.Rand }

func (r mess) message() []byte {
	if r.IntN(4) == 0 {
		junk := make([]byte, r.IntN(2000))
		for i := range junk {
			junk[i] = byte(r.UintN(256))
		}
		return junk
	}
	names := []string{"gateway.lab.internal.", "www.example.org.", "gateway.", "1.0.0.10.in-addr.arpa.", ".", strings.Repeat("a.", 126), `\000\255.lab.internal.`, "localhost."}
	m := new(dns.Msg).SetQuestion(names[r.IntN(len(names))], uint16(r.UintN(300)))
	m.RecursionDesired = r.IntN(8) == 0 // most of it shall not keep the upstream busy
	if r.IntN(2) == 0 {
		m.SetEdns0(uint16(r.UintN(65536)), r.IntN(2) == 0)
		m.IsEdns0().SetVersion(uint8(max(r.IntN(12)-8, 0)))
		for range r.IntN(4) {
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_LOCAL{Code: uint16(r.UintN(20)), Data: make([]byte, r.IntN(60))})
		}
	}
	wire, err := m.Pack()
	if err != nil {
		panic(err)
	}
	for range r.IntN(4) {
		switch r.IntN(6) {
		case 0: // a byte
			wire[r.IntN(len(wire))] = byte(r.UintN(256))
		case 1: // cut off
			wire = wire[:1+r.IntN(len(wire))]
		case 2: // a count
			if len(wire) >= 12 {
				bigend.BigEndian.PutUint16(wire[4+2*r.IntN(4):], uint16(r.UintN(65536)))
			}
		case 3: // a pointer, to anywhere
			if len(wire) > 14 {
				bigend.BigEndian.PutUint16(wire[12+r.IntN(len(wire)-13):], 0xc000|uint16(r.UintN(1<<14)))
			}
		case 4: // more of the same
			wire = append(wire, wire[r.IntN(len(wire)):]...)
		case 5: // any opcode, a response too
			if len(wire) > 2 {
				wire[2] = byte(r.UintN(256))
			}
		}
	}
	return wire[:min(len(wire), 60000)]
}

// TestAnyBytesOnPort53 throws what it can at the daemon, over UDP and TCP at once: it neither crashes nor stalls nor grows, its log stays
// short, and whoever asks in between is answered.
func TestAnyBytesOnPort53(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	d, _ := l.start(t, "--log-level", "info")
	guests := []*guest{l.standing(t, "mess", "vm1", "10.0.0.50"), l.standing(t, "asker", "vm2", "10.0.0.51")}
	pid := l.pid(t)

	once := func(network, name string) error {
		conn := dial(t, guests[1].Host, network, "10.0.0.1:53")
		defer conn.Close()
		client := dns.Client{Net: network, Timeout: 10 * time.Second}
		r, _, err := client.ExchangeWithConn(new(dns.Msg).SetQuestion(name, dns.TypeA), &dns.Conn{Conn: conn})
		if err == nil && len(r.Answer) != 1 {
			err = fmt.Errorf("%v", r)
		}
		if err != nil {
			return fmt.Errorf("%s over %s: %w", name, network, err)
		}
		return nil
	}
	// As every client does, again: what the kernel has no room for isn't the daemon's to answer.
	ask := func(network, name string) error {
		err := once(network, name)
		for try := 0; err != nil && try < 2; try++ {
			err = once(network, name)
		}
		return err
	}
	for _, n := range []string{"gateway.lab.internal.", "www.example.org."} {
		if err := ask("udp", n); err != nil {
			t.Fatal(err)
		}
	}
	before := resident(t, pid)

	udp := dial(t, guests[0].Host, "udp", "10.0.0.1:53")
	defer udp.Close()
	over := make(chan struct{})
	var throwing sync.WaitGroup
	for i := range 8 {
		throwing.Go(func() {
			r := mess{rand.New(rand.NewPCG(2, uint64(i)))}
			for {
				select {
				case <-over:
					return
				default:
					r.stream(dialQuietly(t, guests[0].Host, "10.0.0.1:53"))
				}
			}
		})
	}
	r := mess{rand.New(rand.NewPCG(1, 1))}
	for i := range 150 {
		for range 100 { // nobody reads the answers
			_, _ = udp.Write(r.message())
		}
		for _, network := range []string{"udp", "tcp"} {
			for _, name := range []string{"gateway.lab.internal.", "www.example.org."} {
				if err := ask(network, name); err != nil {
					t.Errorf("question %d: %v", i, err)
				}
			}
		}
	}
	close(over)
	throwing.Wait()

	if now := l.pid(t); now != pid {
		t.Errorf("process %d was %d", now, pid)
	}
	if after := resident(t, pid); after > before+64<<20 {
		t.Errorf("%d MiB of memory, before it %d", after>>20, before>>20)
	} else {
		t.Logf("%d MiB of memory, before it %d", after>>20, before>>20)
	}
	c := l.dnsCounters(t)
	t.Logf("decided: %v", c.since(counters{}))
	if c["panic_recovered"] != 0 {
		t.Errorf("%d panics were caught", c["panic_recovered"])
	}
	for _, reason := range []string{"format_error", "not_implemented", "ignored", "bad_version", "local_gateway"} {
		if c[reason] == 0 {
			t.Errorf("nothing was decided as %s: the mess isn't one", reason)
		}
	}
	if lines := strings.Count(d.output(), "\n"); lines > 60 {
		t.Errorf("%d lines of log", lines)
	}
}

// dialQuietly returns nil where there is no place: that is what a flood of connections gets.
func dialQuietly(t *testing.T, h *nettest.Host, at string) *net.TCPConn {
	var conn net.Conn
	h.Do(t, func() { conn, _ = net.DialTimeout("tcp", at, 2*time.Second) })
	tcp, _ := conn.(*net.TCPConn)
	return tcp
}

// stream is one connection's worth of mess.
func (r mess) stream(conn *net.TCPConn) {
	if conn == nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	for range 1 + r.IntN(40) {
		message := r.message()
		length := len(message)
		if r.IntN(20) == 0 {
			length = int(r.UintN(65536)) // what follows is taken for something else
		}
		if _, err := conn.Write(append(bigend.BigEndian.AppendUint16(nil, uint16(length)), message...)); err != nil {
			return
		}
		if r.IntN(3) == 0 {
			if _, err := conn.Read(make([]byte, 1+r.IntN(2000))); errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
		}
	}
	switch r.IntN(3) {
	case 0:
		_ = conn.CloseWrite()
		_, _ = conn.Read(make([]byte, 1000))
	case 1:
		_ = conn.SetLinger(0)
	}
}
