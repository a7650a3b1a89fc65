package dnsserver

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// What is traced is what the clients got, also of what is answered without the slow path when nobody watches.
func TestTrace(t *testing.T) {
	s, _, up := explaining(t)
	ask(t, "udp", s.at, "www.example.org.", dns.TypeA)
	all := s.Tracer().Subscribe(nil)
	defer all.Close()
	lab := s.Tracer().Subscribe(func(e *Event) bool { return e.Network == "dev" })
	defer lab.Close()
	began := time.Now()
	for _, q := range []struct {
		network, at, name string
		qtype             uint16
	}{
		{"udp", s.at, "www.example.org.", dns.TypeA},
		{"tcp", s.at, "VM1.lab.internal.", dns.TypeA},
		{"udp", s.dev, "none.example.org.", dns.TypeAAAA},
		{"udp", s.at, "broken.example.org.", dns.TypeA},
		{"udp", s.at, "a\x1bb.invalid.", dns.TypeTXT},
		{"udp", s.at, "x.void.example.", dns.TypeA},
	} {
		ask(t, q.network, q.at, q.name, q.qtype)
	}
	var got []string
	for range 6 {
		e, lost, err := all.Next(t.Context())
		if err != nil || lost > 0 {
			t.Fatalf("%v, %d lost", err, lost)
		}
		if e.Took < 0 || e.Took > time.Since(began) || e.Time.Before(began) || !e.Client.Addr().IsLoopback() || e.Client.Port() == 0 || e.Text == "" {
			t.Errorf("%+v", e)
		}
		words := []string{e.Network, e.Name, e.Type, e.Rcode, e.Reason}
		if e.TCP {
			words = append(words, "tcp")
		}
		if e.Cached {
			words = append(words, "cached")
		}
		if e.Upstream != "" {
			words = append(words, "of "+e.Upstream)
		}
		if e.Server == up.addr {
			words = append(words, "asked")
		}
		got = append(got, strings.Join(append(words, e.Answer()...), " "))
	}
	want := []string{
		"lab www.example.org. A NOERROR cache_hit cached of default A 192.0.2.80",
		"lab vm1.lab.internal. A NOERROR local_lease tcp A 127.10.0.57",
		"dev none.example.org. AAAA NXDOMAIN forwarded_negative of default asked",
		"lab broken.example.org. A SERVFAIL upstream_failure of default",
		`lab a\027b.invalid. TXT NXDOMAIN special_name`,
		"lab x.void.example. A SERVFAIL no_upstream of nobody",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if e, _, err := lab.Next(t.Context()); err != nil || e.Network != "dev" {
		t.Errorf("%+v, %v", e, err)
	}
}

// A message that isn't understood is traced without a name, one to an address that has no network not at all.
func TestTraceOfGarbage(t *testing.T) {
	s, c := pathsServer(t)
	sub := s.Tracer().Subscribe(nil)
	defer sub.Close()
	s.serve(make([]byte, headerSize), c, nil) // no question in it
	s.serve([]byte{1}, c, nil)
	s.serve(make([]byte, headerSize), client{addr: c.addr, at: netip.MustParseAddrPort("192.0.2.1:53")}, nil)
	if e, _, err := sub.Next(t.Context()); err != nil || e.Name != "" || e.Type != "" || e.Reason != "format_error" || e.Rcode != "FORMERR" {
		t.Errorf("%+v, %v", e, err)
	}
	sub.Close()
	if s.watched() {
		t.Error("it is still being watched")
	}
	if h := (hot{server: s}); !h.begin(c.at) {
		t.Error("the short cut isn't taken again")
	}
}

func TestReasonsHaveWords(t *testing.T) {
	for r := range reasonCount {
		if r.text() == "" || ReasonText(r.String()) != r.text() || len(r.text()) > 60 {
			t.Errorf("%s: %q", r, r.text())
		}
	}
	if ReasonText("nonsense") != "" {
		t.Error("nonsense is a reason")
	}
}

// The query log is one network's, and has the words of the debug log.
func TestQueryLog(t *testing.T) {
	var out bytes.Buffer
	cfg := labs(freePort(t))
	cfg.Networks[0].LogQueries = true
	s, err := Listen(cfg, &leaseMap{}, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	port := netip.AddrPortFrom(netip.Addr{}, cfg.Port).Port()
	lab, dev := netip.AddrPortFrom(netip.MustParseAddr("127.10.0.1"), port), netip.AddrPortFrom(netip.MustParseAddr("127.11.0.129"), port)
	h := hot{server: s}
	if h.begin(lab) || !h.begin(dev) {
		t.Error("the wrong network's short cut is left out")
	}
	for _, at := range []netip.AddrPort{lab, dev} {
		q := question("\x03a\nb\x07invalid\x00", &Question{Type: dns.TypeA})
		s.serve(q, client{addr: netip.MustParseAddrPort("127.10.0.57:4000"), at: at}, nil)
	}
	_, line, _ := strings.Cut(out.String(), " ")
	if want := `level=INFO msg=query network=lab client=127.10.0.57 name=a\010b.invalid. type=A reason=special_name rcode=NXDOMAIN` + "\n"; line != want {
		t.Errorf("got  %swant %s", line, want)
	}
}
