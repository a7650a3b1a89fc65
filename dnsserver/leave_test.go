package dnsserver

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// What is handed over is read as what has come.
func TestAQueryIsHandedOverAsItCame(t *testing.T) {
	plain := new(dns.Msg).SetQuestion("WwW.example.org.", dns.TypeAAAA)
	checking := plain.Copy()
	checking.RecursionDesired, checking.CheckingDisabled, checking.AuthenticatedData = false, true, true
	extended := plain.Copy()
	extended.SetEdns0(4096, true)
	opt := extended.IsEdns0()
	opt.Option = append(opt.Option,
		&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"},
		&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE})
	for _, m := range []*dns.Msg{plain, checking, extended} {
		packet, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		q, _, _, ok := parseQuery(packet, true)
		if !ok {
			t.Fatalf("not understood: %v", m)
		}
		again, _, _, ok := parseQuery(q.message(), true)
		if !ok {
			t.Fatalf("not understood: %x", q.message())
		}
		if diff := cmp.Diff(q, again, cmp.AllowUnexported(query{})); diff != "" {
			t.Errorf("of %v (-came +handed over):\n%s", m, diff)
		}
	}
}
