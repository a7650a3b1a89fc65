package dnsserver

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"
)

// local answers what is known here. Its status is notOurs for names that an upstream is to be asked for, and lan tells
// that only upstreams on private addresses may be.
func (snap *snapshot) local(v *view, n name, qtype uint16, now time.Time) (f found, lan bool) {
	if z := snap.zoneFor(n, qtype); z != nil {
		f := z.lookup(n, qtype, now)
		if f.status == nxDomain && snap.exists(n) {
			f = z.negative(noData, localNoData)
		}
		if f.status != notOurs {
			return f, false
		}
	}
	if f := snap.override(n, qtype, now); f.status != notOurs {
		return f, false
	}
	special, isSpecial := snap.specialOf(n)
	if isSpecial && special.strict {
		return special.lookup(n, qtype, snap, now), false
	}
	if n.single() {
		if f := snap.complete(v, n, qtype, now); f.status != notOurs {
			return f, false
		}
	}
	switch {
	case !isSpecial || snap.configured(n):
		return found{}, false
	// The proof that a special name is nobody's is above it: RFC 8375 section 4 and RFC 6303 section 5.
	case qtype == dns.TypeDS && special.zone.origin == n && n.under("\x04arpa\x00"):
		return found{}, false
	case special.lan && snap.zones[n] == nil && snap.fallback != nil && snap.fallback.hasPrivate():
		return found{}, true
	}
	return special.lookup(n, qtype, snap, now), false
}

// zoneFor returns the zone that answers for a name: above a cut if the question is about the cut, RFC 4035 section 3.1.4.1. If nobody here
// has what is above it, the outside is asked: there a validating client's proof begins.
func (snap *snapshot) zoneFor(n name, qtype uint16) *zone {
	if qtype == dns.TypeDS && n != root && snap.zones[n] != nil {
		n = n.parent()
	}
	return snap.zoneOf(n)
}

// exists tells whether a name is there because a local zone begins there or below.
func (snap *snapshot) exists(n name) bool {
	return snap.above[n] || snap.zones[n] != nil || snap.hosts.above(n)
}

// amended is an upstream's answer about n, which doesn't know that names of ours are below: its NXDOMAIN would take them away from whoever
// heeds RFC 8020.
func (snap *snapshot) amended(p *packed, n name) *packed {
	if p.rcode != dns.RcodeNameError || binary.BigEndian.Uint16(p.data[6:]) > 0 || !snap.exists(n) {
		return p
	}
	there := *p
	there.rcode = dns.RcodeSuccess
	return &there
}

// complete answers a single label as the name of that label in the client's own network. Questions for addresses end
// here; the other types are the outside's too (a validating client asks for "com. DS"), unless the name is ours.
func (snap *snapshot) complete(v *view, n name, qtype uint16, now time.Time) found {
	address := qtype == dns.TypeA || qtype == dns.TypeAAAA
	switch qtype {
	case dns.TypeDS, dns.TypeDNSKEY, dns.TypeNS, dns.TypeSOA:
		return found{}
	}
	full, ok := v.domain.child(n.label())
	if !ok {
		if address && !snap.configured(n) {
			return v.zone.asRoot(v.zone.negative(nxDomain, localNXDomain))
		}
		return found{}
	}
	// The most specific zone: the label may be another network's domain under this one's.
	f := snap.zoneOf(full).lookup(full, qtype, now)
	f.fixed = false // each network has its own
	f.full = full
	if f.status == nxDomain && snap.exists(full) {
		f.status, f.why = noData, localNoData
	}
	if f.status == nxDomain && (!address || snap.configured(n)) {
		return found{}
	}
	if f.status != answered {
		return v.zone.asRoot(f)
	}
	f.answer = owned(f.answer, n)
	return f
}

// asRoot gives a negative answer the SOA of a zone that encloses a single label, else RFC 2308 caches don't take it.
func (z *zone) asRoot(f found) found {
	soa := dns.Copy(z.soa)
	soa.Header().Name = "."
	f.authority = []dns.RR{soa}
	return f
}

// override answers for names of records and hosts files that lie outside all local zones: the name itself is ours, what is below isn't.
func (snap *snapshot) override(n name, qtype uint16, now time.Time) found {
	z := snap.overrides
	if len(z.nodes) == 0 && len(snap.hosts) == 0 {
		return found{}
	}
	here := z.nodes[n]
	if len(here) == 0 {
		here = snap.hosts.node(n)
	}
	if len(here) == 0 && n != root {
		here = z.wildcard(n, now)
	}
	if len(here) == 0 {
		return found{}
	}
	f := z.choose(here, n, qtype)
	f.fixed = f.next == "" && qtype != dns.TypeANY
	if f.status == noData {
		soa := dns.Copy(z.soa)
		soa.Header().Name = n.String()
		f.authority = []dns.RR{soa}
	}
	return f
}

func (snap *snapshot) specialOf(n name) (special, bool) {
	for ; n != root; n = n.parent() {
		if s, ok := snap.special[n]; ok {
			return s, true
		}
	}
	return special{}, false
}

// configured tells whether upstreams are configured for a name, other than the default.
func (snap *snapshot) configured(n name) bool {
	for ; ; n = n.parent() {
		if snap.groups[n] != nil {
			return true
		}
		if n == root {
			return false
		}
	}
}

// route returns the upstreams for a name: the most specific suffix, or the default. nil: nobody.
func (snap *snapshot) route(n name) *group {
	for ; ; n = n.parent() {
		if g := snap.groups[n]; g != nil {
			return g
		}
		if n == root {
			return snap.fallback
		}
	}
}

// speaksFor tells whether what an upstream says about a name is not asked for.
func (snap *snapshot) speaksFor(n name) bool {
	if z := snap.zoneOf(n); z != nil && (z.ranges == nil || z.owns(n)) {
		return true
	}
	s, ok := snap.specialOf(n)
	return ok && s.strict || len(snap.overrides.nodes[n]) > 0 || snap.hosts.speaksFor(n)
}
