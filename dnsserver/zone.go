package dnsserver

import (
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

const (
	// negativeTTL is how long a client may remember that a local name isn't there, in seconds: a new lease shows soon.
	negativeTTL = 5
	// leaseTTL bounds the TTL of names that leases hold, when the network doesn't say.
	leaseTTL = 60 * time.Second
	hostTTL  = 60 // seconds
)

// rrset is the records of one name and type, and where they come from.
type rrset struct {
	records []dns.RR
	why     reason
}

// node is what one name holds, by type. An empty one is an empty non-terminal, RFC 4592 section 2.2.2.
type node map[uint16]rrset

// addressTypes are those that say where a name leads, and so leave no room for a lease.
var addressTypes = [...]uint16{dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypePTR}

// zone is a local zone: what the configuration says, and the leases of the networks that it belongs to. Immutable; asks
// the leases at query time.
type zone struct {
	origin name
	soa    dns.RR
	nodes  map[name]node
	leases *leaseView     // of a forward zone
	ranges []reverseRange // of a reverse zone
	hosts  hosts          // the hosts files of all networks
	whole  bool           // a reverse zone whose every address is ours
	wild   bool           // there is a wildcard right below the origin
	cut    bool           // another zone is below the origin

	negatives negatives
}

// leaseView is how leases become names in one network.
type leaseView struct {
	network string
	domain  name
	names   LeaseNames
	maxTTL  time.Duration
}

// found is what is known locally about a name and a type.
type found struct {
	status    status
	why       reason
	answer    []dns.RR // for the name itself
	next      name     // target of the CNAME in answer
	authority []dns.RR // the SOA of a negative answer
	fixed     bool     // as long as the configuration is: no lease can change it
	// Where it was found, for explanations.
	zone *zone
	full name // what a single label was completed to
	star bool // by a wildcard
}

type status uint8

const (
	notOurs status = iota // nothing here speaks for this name
	answered
	noData
	nxDomain
)

// lookup answers for a name at or under the zone's origin. Owner names of the records are n.
func (z *zone) lookup(n name, qtype uint16, now time.Time) found {
	here, exists := z.at(n, now)
	if !exists {
		if z.ranges != nil && !z.owns(n) {
			return found{}
		}
		if here = z.wildcard(n, now); here == nil {
			return z.negative(nxDomain, localNXDomain)
		}
	}
	f := z.choose(here, n, qtype)
	// A name that has an address, or a record of that type, is no matter of leases; wildcards are, since a lease may take the name.
	static := z.nodes[n]
	f.fixed = f.next == "" && qtype != dns.TypeANY && (static.addressed() || len(static[qtype].records) > 0 || z.hosts.speaksFor(n))
	f.star = !exists
	return f
}

func (z *zone) choose(here node, n name, qtype uint16) found {
	if qtype == dns.TypeANY {
		return found{status: answered, why: minimalAny, answer: []dns.RR{anyAnswer(n)}, zone: z}
	}
	set, ok := here[qtype]
	next := name("")
	if !ok {
		if set, ok = here[dns.TypeCNAME]; ok {
			target, err := parseName(set.records[0].(*dns.CNAME).Target)
			if err != nil {
				return found{}
			}
			next = target
		}
	}
	if !ok {
		return z.negative(noData, localNoData)
	}
	return found{status: answered, why: set.why, answer: owned(set.records, n), next: next, zone: z}
}

func (z *zone) negative(s status, why reason) found {
	return found{status: s, why: why, authority: []dns.RR{z.soa}, zone: z}
}

// at returns what n holds now, wildcards aside; exists without records means an empty non-terminal.
func (z *zone) at(n name, now time.Time) (node, bool) {
	static, exists := z.nodes[n]
	// What the configuration says about a name's address goes before hosts files, and these before a lease.
	if static.addressed() {
		return static, true
	}
	merged := z.hosts.node(n)
	if merged == nil {
		set, qtype, ok := z.lease(n, now)
		if !ok {
			return static, exists || z.ranges != nil && z.between(n) || z.hosts.above(n)
		}
		merged = node{qtype: set}
	}
	for t, s := range static {
		merged[t] = s
	}
	return merged, true
}

// lease returns the record that a lease gives to n.
func (z *zone) lease(n name, now time.Time) (set rrset, qtype uint16, ok bool) {
	if z.leases != nil {
		if n == z.origin || n.parent() != z.origin {
			return set, 0, false
		}
		addr, remaining, ok := z.leases.names.AddrOf(z.leases.network, []byte(n.label()), now)
		if !ok || !addr.Unmap().Is4() {
			return set, 0, false
		}
		ttl := z.leases.ttl(remaining)
		return rrset{records: []dns.RR{addressRecord(n, addr, ttl)}, why: localLease}, dns.TypeA, true
	}
	covered, full := reversePrefix(n)
	if !full || !covered.IsSingleIP() {
		return set, 0, false
	}
	for _, r := range z.ranges {
		if !r.prefix.Contains(covered.Addr()) {
			continue
		}
		label, remaining, ok := r.leases.names.NameOf(r.leases.network, covered.Addr(), now)
		if !ok {
			continue
		}
		// A lease doesn't get a name that a hosts file has: the name leads to another address.
		if target, ok := r.leases.domain.child(label); ok && !z.hosts.speaksFor(target) {
			ttl := r.leases.ttl(remaining)
			return rrset{records: []dns.RR{pointer(n, target, ttl)}, why: localLease}, dns.TypePTR, true
		}
	}
	return set, 0, false
}

func (v *leaseView) ttl(remaining time.Duration) uint32 {
	return uint32(max(min(v.maxTTL, remaining)/time.Second, 1))
}

// wildcard returns the wildcard that stands for n, which doesn't exist: the one right below the closest name that does,
// RFC 4592 section 3.3.1.
func (z *zone) wildcard(n name, now time.Time) node {
	for encloser := n; encloser != z.origin; {
		encloser = encloser.parent()
		if star, ok := encloser.child("*"); ok {
			if here := z.nodes[star]; here != nil {
				return here
			}
		}
		if _, exists := z.at(encloser, now); exists {
			return nil
		}
	}
	return nil
}

// add puts a record into the zone, and the empty non-terminals above it.
func (z *zone) add(n name, rr dns.RR, why reason) {
	here := z.nodes[n]
	if here == nil {
		here = node{}
		z.nodes[n] = here
	}
	z.wild = z.wild || n != root && n.label() == "*" && n.parent() == z.origin
	t := rr.Header().Rrtype
	set := here[t]
	if slices.ContainsFunc(set.records, func(r dns.RR) bool { return dns.IsDuplicate(r, rr) }) {
		return
	}
	// RFC 2181 section 5.2: one TTL for an RRset.
	for _, r := range set.records {
		rr.Header().Ttl = min(rr.Header().Ttl, r.Header().Ttl)
	}
	for _, r := range set.records {
		r.Header().Ttl = rr.Header().Ttl
	}
	if set.records == nil {
		set.why = why
	}
	set.records = append(set.records, rr)
	here[t] = set
	for above := n; above != z.origin && above != root; {
		above = above.parent()
		if _, ok := z.nodes[above]; !ok {
			z.nodes[above] = node{}
		}
	}
}

// newZone makes a zone with SOA and NS. server is the name of the server in both.
func newZone(origin, server name, serial uint32) *zone {
	contact, ok := server.child("hostmaster")
	if !ok {
		contact = server
	}
	z := &zone{origin: origin, nodes: map[name]node{}}
	z.soa = &dns.SOA{
		Hdr: header(origin, dns.TypeSOA, negativeTTL), Ns: server.String(), Mbox: contact.String(),
		Serial: serial, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: negativeTTL,
	}
	z.add(origin, z.soa, localApex)
	z.add(origin, &dns.NS{Hdr: header(origin, dns.TypeNS, hostTTL), Ns: server.String()}, localApex)
	return z
}

func header(n name, rtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: n.String(), Rrtype: rtype, Class: dns.ClassINET, Ttl: ttl}
}

func addressRecord(n name, addr netip.Addr, ttl uint32) dns.RR {
	addr = addr.Unmap()
	if addr.Is4() {
		return &dns.A{Hdr: header(n, dns.TypeA, ttl), A: addr.AsSlice()}
	}
	return &dns.AAAA{Hdr: header(n, dns.TypeAAAA, ttl), AAAA: addr.AsSlice()}
}

func pointer(n, target name, ttl uint32) dns.RR {
	return &dns.PTR{Hdr: header(n, dns.TypePTR, ttl), Ptr: target.String()}
}

// anyAnswer is all that ANY gets, RFC 8482 section 4.2.
func anyAnswer(n name) dns.RR {
	return &dns.HINFO{Hdr: header(n, dns.TypeHINFO, 3600), Cpu: "RFC8482"}
}

// owned returns records with n as their owner, which differs for a wildcard and a completed label.
func owned(records []dns.RR, n name) []dns.RR {
	owner := n.String()
	if len(records) == 0 || records[0].Header().Name == owner {
		return records
	}
	out := make([]dns.RR, len(records))
	for i, rr := range records {
		out[i] = dns.Copy(rr)
		out[i].Header().Name = owner
	}
	return out
}
