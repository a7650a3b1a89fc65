package dnsserver

import (
	"testing"

	"github.com/miekg/dns"
)

// What the library can't read back is refused; nothing that is in use is.
func TestWellFormed(t *testing.T) {
	for _, c := range []struct {
		rdata string
		want  bool
	}{
		{`A 192.0.2.1`, true},
		{`AAAA 2001:db8::1`, true},
		{`MX 0 .`, true},
		{`TXT ""`, true},
		{`HTTPS 1 . alpn="h3,h2" ipv4hint="192.0.2.1,192.0.2.2" ech="AAAA"`, true},
		{`SVCB 0 svc.example.org.`, true},
		{`LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m`, true},
		{`NAPTR 100 10 "S" "SIP+D2U" "" .`, true},
		{`CAA 0 issue ";"`, true},
		{`TLSA 3 1 1 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3`, true},
		{`SSHFP 4 2 0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3`, true},
		{`DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118`, true},
		{`DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==`, true},
		{`RRSIG A 13 2 300 20300101000000 20200101000000 1 example.org. mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==`, true},
		{`NSEC a.example.org. A NS RRSIG NSEC TYPE1234`, true},
		{`NSEC3 1 1 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG`, true},
		{`APL 1:192.0.2.0/24 !1:192.0.2.64/28`, true},
		{`TYPE65280 \# 0`, true},
		{`TYPE65280 \# 3 010203`, true},
		{`A \# 0`, false},
		{`SOA \# 1 00`, false},
		{`MX \# 2 0001`, false},
	} {
		rr, err := dns.NewRR("example.org. 300 IN " + c.rdata)
		if err != nil {
			if c.want {
				t.Errorf("%s: %v", c.rdata, err)
			}
			continue
		}
		wire := make([]byte, 1024)
		end, err := dns.PackRR(rr, wire, 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		if rr, _, err = dns.UnpackRR(wire[:end], 0); err != nil {
			if c.want {
				t.Errorf("%s: %v", c.rdata, err)
			}
			continue
		}
		if got := wellFormed(rr); got != c.want {
			t.Errorf("%s: %v, want %v", c.rdata, got, c.want)
		}
	}
}
