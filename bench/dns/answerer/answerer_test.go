package answerer

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"labnet/bench/dns/batch"
)

// ask packs a question, lets it be answered in place, and unpacks the answer; nil is none.
func ask(t *testing.T, answer func([]byte, int) int, question *dns.Msg) *dns.Msg {
	t.Helper()
	packed, err := question.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var room [batch.MaxPacket]byte
	n := answer(room[:], copy(room[:], packed))
	if n == 0 {
		return nil
	}
	m := new(dns.Msg)
	if err := m.Unpack(room[:n]); err != nil {
		t.Fatalf("%x: %v", room[:n], err)
	}
	if m.Id != question.Id || !m.Response || !m.RecursionAvailable || m.RecursionDesired != question.RecursionDesired {
		t.Errorf("the header doesn't fit: %v", m.MsgHdr)
	}
	if diff := cmp.Diff(question.Question, m.Question); diff != "" {
		t.Errorf("the question (-asked +answered):\n%s", diff)
	}
	return m
}

func question(name string, kind uint16, edns bool) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(name, kind)
	if edns {
		m.SetEdns0(1232, true)
	}
	return m
}

func TestAnswers(t *testing.T) {
	upstream := func(name string) string {
		wire := make([]byte, 255)
		n, err := dns.PackDomainName(name, wire, 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		return AddrOf(wire[:n]).String()
	}
	if a, b := upstream("h1.example.org."), upstream("H1.EXAMPLE.org."); a != b || !netip.MustParsePrefix("198.18.0.0/15").Contains(netip.MustParseAddr(a)) {
		t.Errorf("h1.example.org has %s, and in capitals %s", a, b)
	}
	for _, test := range []struct {
		name     string
		answer   func([]byte, int) int
		question *dns.Msg
		want     string // address
		noData   bool
	}{
		{"upstream", answerAnything, question("H1.example.org.", dns.TypeA, false), upstream("h1.example.org."), false},
		{"upstream, EDNS", answerAnything, question("h2.example.org.", dns.TypeA, true), upstream("h2.example.org."), false},
		{"upstream, the root", answerAnything, question(".", dns.TypeNS, true), "", true},
		{"upstream, another type", answerAnything, question("h1.example.org.", dns.TypeAAAA, true), "", true},
		{"echo", answerTheSame, question("h1.example.org.", dns.TypeA, false), "198.18.0.1", false},
		{"echo, EDNS", answerTheSame, question("h1.example.org.", dns.TypeA, true), "198.18.0.1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := ask(t, test.answer, test.question)
			if m == nil {
				t.Fatal("no answer")
			}
			got := ""
			for _, rr := range m.Answer {
				if a, ok := rr.(*dns.A); ok && a.Hdr.Name == test.question.Question[0].Name && a.Hdr.Ttl == 3600 {
					got += a.A.String()
				}
			}
			if got != test.want {
				t.Errorf("the address is %q, want %q: %v", got, test.want, m)
			}
			if soa := len(m.Ns) == 1 && m.Ns[0].Header().Rrtype == dns.TypeSOA; soa != test.noData {
				t.Errorf("no data is said: %v, want %v", soa, test.noData)
			}
			if edns := m.IsEdns0() != nil; edns != (test.question.IsEdns0() != nil) {
				t.Errorf("EDNS is answered: %v", edns)
			}
		})
	}
	reply := question("h1.example.org.", dns.TypeA, false)
	reply.Response = true
	for name, answer := range map[string]func([]byte, int) int{"upstream": answerAnything, "echo": answerTheSame} {
		if packed, err := reply.Pack(); err != nil || answer(packed, len(packed)) != 0 {
			t.Errorf("the %s answers an answer", name)
		}
		if answer(make([]byte, batch.MaxPacket), 11) != 0 {
			t.Errorf("the %s answers eleven bytes", name)
		}
	}
}
