package dnsserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// parseAnswer reads a whole answer, and refuses one that the library reads and a client wouldn't.
func parseAnswer(raw []byte) (*dns.Msg, error) {
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		return nil, fmt.Errorf("a malformed answer: %w", err)
	}
	if int(binary.BigEndian.Uint16(raw[6:])) != len(m.Answer) || int(binary.BigEndian.Uint16(raw[8:])) != len(m.Ns) {
		return nil, errors.New("an answer that is cut off")
	}
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		if !wellFormed(rr) {
			return nil, fmt.Errorf("an answer with a malformed %s record", dns.Type(rr.Header().Rrtype))
		}
	}
	return m, nil
}

// wellFormed tells whether a record has all of its data. The library takes data that ends early, as UPDATE needs it; what
// it makes of that, it may not be able to read again, and a client neither.
func wellFormed(rr dns.RR) bool {
	if slices.Contains(namesIn(rr), "") {
		return false
	}
	if rr.Header().Rdlength == 0 {
		switch rr.(type) {
		case *dns.APL, *dns.NULL, *dns.RFC3597:
			return true
		}
		return false
	}
	buffer := make([]byte, dns.Len(rr)+64)
	end, err := dns.PackRR(rr, buffer, 0, nil, false)
	if err != nil {
		return false
	}
	again, _, err := dns.UnpackRR(buffer[:end], 0)
	return err == nil && dns.IsDuplicate(rr, again)
}

// namesIn returns the domain names in a record's data; one that was left out is empty.
func namesIn(rr dns.RR) []string {
	switch rr := rr.(type) {
	case *dns.CNAME:
		return []string{rr.Target}
	case *dns.DNAME:
		return []string{rr.Target}
	case *dns.NS:
		return []string{rr.Ns}
	case *dns.PTR:
		return []string{rr.Ptr}
	case *dns.MX:
		return []string{rr.Mx}
	case *dns.SRV:
		return []string{rr.Target}
	case *dns.SOA:
		return []string{rr.Ns, rr.Mbox}
	case *dns.NAPTR:
		return []string{rr.Replacement}
	case *dns.SVCB:
		return []string{rr.Target}
	case *dns.HTTPS:
		return []string{rr.Target}
	case *dns.RRSIG:
		return []string{rr.SignerName}
	case *dns.NSEC:
		return []string{rr.NextDomain}
	}
	return nil
}
