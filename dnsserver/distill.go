package dnsserver

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// maxChain bounds the CNAMEs from a question to its answer.
	maxChain = 11
	maxTTL   = 24 * time.Hour
	// maxNegativeTTL: RFC 2308 section 5.
	maxNegativeTTL = 3 * time.Hour
)

// distill makes the answer that is kept and passed on of what an upstream said, and tells for how long: the records of
// the question and of the CNAME chain from it, the SOA of a negative answer, the proofs that go with them. Everything
// else is dropped, whoever it may be about. stay tells whether a name is this upstream's too; the chain is cut where it
// leaves, and its next name is asked for where it belongs.
func distill(a *asked, m *dns.Msg, stay func(name) bool) (p *packed, ttl time.Duration) {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		why := "an upstream answered " + dns.RcodeToString[m.Rcode]
		p = failure(a.name, a.qtype, dns.RcodeServerFailure, upstreamFailure, appendErrors(nil, append(extendedOf(m), extendedError{dns.ExtendedErrorCodeNetworkError, why})))
		return p, 0
	}
	chain, at, next, ok := follow(a, m, stay)
	if !ok {
		return failure(a.name, a.qtype, dns.RcodeServerFailure, chainTooLong, nil), 0
	}
	final := records(m.Answer, at, a.qtype)
	answer := dnames(m, slices.Concat(chain, final))
	var authority []dns.RR
	rcode := m.Rcode
	switch {
	case next != "":
		rcode = dns.RcodeSuccess
	case len(final) == 0:
		if soa := soaOf(m.Ns, at); soa != nil {
			authority = append(authority, soa)
		}
	}
	if a.do {
		answer, authority = proofs(m, answer, authority)
	}
	negative := next == "" && len(final) == 0
	ttl = lifetime(answer, authority, negative)
	p, err := pack(a.name, a.qtype, rcode, answer, authority, extendedOf(m)...)
	if err != nil {
		return failure(a.name, a.qtype, dns.RcodeServerFailure, upstreamFailure, nil), 0
	}
	p.ad, p.onward, p.negative = m.AuthenticatedData, next, negative
	p.why = forwarded
	if negative {
		p.why = forwardedNegative
	}
	return p, ttl
}

// follow walks the CNAMEs from the question. at is where they lead within this answer, next where they go on outside.
func follow(a *asked, m *dns.Msg, stay func(name) bool) (chain []dns.RR, at, next name, ok bool) {
	at = a.name
	if a.qtype == dns.TypeCNAME {
		return nil, at, "", true
	}
	for range maxChain {
		cnames := records(m.Answer, at, dns.TypeCNAME)
		if len(cnames) == 0 || len(records(m.Answer, at, a.qtype)) > 0 {
			return chain, at, "", true
		}
		target, err := parseName(cnames[0].(*dns.CNAME).Target)
		if err != nil {
			return nil, at, "", false
		}
		chain = append(chain, cnames[0])
		// A server that isn't asked for the target, or says nothing about it, is not the last word.
		if !stay(target) || len(owners(m.Answer, target)) == 0 && m.Rcode == dns.RcodeSuccess && soaOf(m.Ns, target) == nil {
			return chain, at, target, true
		}
		at = target
	}
	return nil, at, "", false
}

// records returns the RRset of a name and type, once each, owner and class put right.
func records(section []dns.RR, owner name, rtype uint16) []dns.RR {
	var set []dns.RR
	for _, rr := range owners(section, owner) {
		if rr.Header().Rrtype == rtype && !slices.ContainsFunc(set, func(r dns.RR) bool { return dns.IsDuplicate(r, rr) }) {
			set = append(set, rr)
		}
	}
	return set
}

// owners returns the records of class IN that a name owns.
func owners(section []dns.RR, owner name) []dns.RR {
	var all []dns.RR
	text := owner.String()
	for _, rr := range section {
		h := rr.Header()
		if h.Class == dns.ClassINET && h.Rrtype != dns.TypeOPT && strings.EqualFold(h.Name, text) {
			h.Name = text
			all = append(all, rr)
		}
	}
	return all
}

// soaOf returns the SOA of a negative answer about n: that of a zone around n.
func soaOf(authority []dns.RR, n name) dns.RR {
	for _, rr := range authority {
		if soa, ok := rr.(*dns.SOA); ok && soa.Hdr.Class == dns.ClassINET {
			if origin, err := parseName(soa.Hdr.Name); err == nil && n.under(origin) {
				return soa
			}
		}
	}
	return nil
}

// dnames puts the DNAMEs before what they made: a CNAME of the chain may be there only because of one, RFC 6672 section 3.1, which alone of both is
// signed.
func dnames(m *dns.Msg, answer []dns.RR) []dns.RR {
	var above []dns.RR
	for _, rr := range m.Answer {
		if rr.Header().Rrtype == dns.TypeDNAME && rr.Header().Class == dns.ClassINET && !slices.Contains(answer, rr) && aboveAny(rr, answer) {
			above = append(above, rr)
		}
	}
	return slices.Concat(above, answer)
}

// proofs adds what a validating client needs, RFC 4035 section 3.1: the signatures of what is there, and the records
// that deny what isn't.
func proofs(m *dns.Msg, answer, authority []dns.RR) (withAnswer, withAuthority []dns.RR) {
	for _, rr := range m.Ns {
		if t := rr.Header().Rrtype; (t == dns.TypeNSEC || t == dns.TypeNSEC3) && rr.Header().Class == dns.ClassINET {
			authority = append(authority, rr)
		}
	}
	return signed(answer, m.Answer), signed(authority, m.Ns)
}

// aboveAny tells whether a record's owner is above that of one of the others.
func aboveAny(rr dns.RR, others []dns.RR) bool {
	return slices.ContainsFunc(others, func(other dns.RR) bool {
		return dns.IsSubDomain(rr.Header().Name, other.Header().Name)
	})
}

// signed adds the signatures of kept records.
func signed(kept, section []dns.RR) []dns.RR {
	all := slices.Clone(kept)
	for _, rr := range section {
		sig, ok := rr.(*dns.RRSIG)
		if !ok || slices.Contains(kept, rr) {
			continue
		}
		if slices.ContainsFunc(kept, func(k dns.RR) bool {
			return k.Header().Rrtype == sig.TypeCovered && strings.EqualFold(k.Header().Name, sig.Hdr.Name)
		}) {
			all = append(all, rr)
		}
	}
	return all
}

// lifetime is how long an answer may be kept, and puts the TTLs in it within the same bounds. Zero: not at all.
func lifetime(answer, authority []dns.RR, negative bool) time.Duration {
	limit := seconds(maxTTL)
	if negative {
		limit = 0 // RFC 2308 section 5: not without SOA
		for _, rr := range authority {
			if soa, ok := rr.(*dns.SOA); ok {
				limit = min(soa.Minttl, seconds(maxNegativeTTL))
			}
		}
	}
	shortest := limit
	for _, rr := range slices.Concat(answer, authority) {
		h := rr.Header()
		if h.Ttl > 1<<31-1 { // RFC 2181 section 8
			h.Ttl = 0
		}
		h.Ttl = min(h.Ttl, seconds(maxTTL))
		if h.Rrtype == dns.TypeSOA && negative {
			h.Ttl = min(h.Ttl, limit)
		}
		shortest = min(shortest, h.Ttl)
	}
	return time.Duration(shortest) * time.Second
}

func seconds(d time.Duration) uint32 { return uint32(d / time.Second) }

// extendedOf returns what an upstream said about its answer, RFC 8914.
func extendedOf(m *dns.Msg) []extendedError {
	opt := m.IsEdns0()
	if opt == nil {
		return nil
	}
	for _, o := range opt.Option {
		if ede, ok := o.(*dns.EDNS0_EDE); ok {
			text := strings.ToValidUTF8(ede.ExtraText, "?")
			return []extendedError{{ede.InfoCode, text[:min(len(text), 120)]}}
		}
	}
	return nil
}
