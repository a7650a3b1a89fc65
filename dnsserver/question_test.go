package dnsserver

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestParseQuestion(t *testing.T) {
	for _, test := range []struct{ text, qtype, name, want string }{
		{"www.Example.org", "", "www.example.org.", "A"},
		{"www.example.org.", "https", "www.example.org.", "HTTPS"},
		{".", "NS", ".", "NS"},
		{"10.0.0.57", "", "57.0.0.10.in-addr.arpa.", "PTR"},
		{"10.0.0.57", "txt", "57.0.0.10.in-addr.arpa.", "TXT"},
		{"2001:db8::1", "", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", "PTR"},
		{"::ffff:10.0.0.57", "", "57.0.0.10.in-addr.arpa.", "PTR"},
		{"bücher.example", "", "xn--bcher-kva.example.", "A"},
		{"x", "TYPE65280", "x.", "TYPE65280"},
	} {
		name, code, err := ParseQuestion(test.text, test.qtype)
		if err != nil || name != test.name || dns.Type(code).String() != test.want {
			t.Errorf("%q: %s %s, %v", test.text, name, dns.Type(code), err)
		}
	}
	for text, want := range map[string]string{
		"": "empty label", "a..b": "not a domain name", ".a": "empty label", strings.Repeat("x", 64): "1 to 63 bytes",
		"10.0.0.0/24": "a prefix", "https://example.org/": "a URL", "\u2488com": "ex",
	} {
		if _, _, err := ParseQuestion(text, ""); !errors.Is(err, ErrQuestion) || !strings.Contains(err.Error(), want) && want != "ex" {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, _, err := ParseQuestion("x", "nonsense"); !errors.Is(err, ErrQuestion) {
		t.Errorf("%v", err)
	}
}

func TestExplainChoosesNetworks(t *testing.T) {
	s, _, _ := explaining(t)
	for _, test := range []struct {
		name string
		q    Question
		want []string
	}{
		{"each", Question{}, []string{"dev 127.11.0.129", "lab 127.10.0.1"}},
		{"the client's", Question{Client: netip.MustParseAddr("127.11.0.130")}, []string{"dev 127.11.0.130"}},
		{"where another may ask", Question{Client: netip.MustParseAddr("198.51.100.7")}, []string{"lab 198.51.100.7"}},
		{"each, for a stranger", Question{Client: netip.MustParseAddr("203.0.113.1")}, []string{"dev 203.0.113.1", "lab 203.0.113.1"}},
		{"a stranger's wish", Question{Network: "lab", Client: netip.MustParseAddr("127.11.0.130")}, []string{"lab 127.11.0.130"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.q.Name, test.q.Type = "gateway.", dns.TypeA
			found, err := s.Explain(t.Context(), test.q)
			var got []string
			for _, e := range found {
				got = append(got, e.Network+" "+e.Client.String())
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("%v: %q", err, got)
			}
		})
	}
	if _, err := s.Explain(t.Context(), Question{Name: ".", Network: "none"}); err == nil || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("of no network: %v", err)
	}
}
