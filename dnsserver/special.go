package dnsserver

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// special is a name that means nothing outside, or something else on every network, with everything below it.
type special struct {
	zone *zone
	// lan: a resolver on a private address, such as the LAN's own, may know the names; nobody else is asked.
	lan bool
	// strict: not even a configured upstream is asked.
	strict bool
}

// specialNames are answered here unless said otherwise.
var specialNames = []struct {
	name        string
	lan, strict bool
}{
	{name: "localhost.", strict: true}, // RFC 6761 section 6.3
	{name: "invalid.", strict: true},   // RFC 6761 section 6.4
	{name: "onion.", strict: true},     // RFC 7686 section 2
	{name: "alt.", strict: true},       // RFC 9476
	{name: "local."},                   // RFC 6762 section 3: multicast DNS
	{name: "resolver.arpa."},           // RFC 9462 section 8.2: about this very resolver
	{name: "test.", lan: true},         // RFC 6761 section 6.2
	{name: "home.arpa.", lan: true},    // RFC 8375
	{name: "internal.", lan: true},     // reserved by ICANN, 2024
}

// specialPrefixes are the addresses whose reverse names are special: RFC 6303 section 4, RFC 7793.
var specialPrefixes = []struct {
	prefix      string
	lan, strict bool
}{
	{prefix: "127.0.0.0/8", strict: true},
	{prefix: "::1/128", strict: true},
	{prefix: "::/128"},
	{prefix: "0.0.0.0/8"},
	{prefix: "255.255.255.255/32"},
	{prefix: "10.0.0.0/8", lan: true},
	{prefix: "172.16.0.0/12", lan: true},
	{prefix: "192.168.0.0/16", lan: true},
	{prefix: "100.64.0.0/10", lan: true},
	{prefix: "169.254.0.0/16", lan: true},
	{prefix: "192.0.2.0/24", lan: true},
	{prefix: "198.51.100.0/24", lan: true},
	{prefix: "203.0.113.0/24", lan: true},
	{prefix: "2001:db8::/32", lan: true},
	{prefix: "fd00::/8", lan: true},
	{prefix: "fe80::/10", lan: true},
}

// specials returns the table by name.
func specials(serial uint32) map[name]special {
	table := map[name]special{}
	for _, s := range specialNames {
		n, err := parseName(s.name)
		if err != nil {
			panic("dnsserver: the table of special names: " + err.Error())
		}
		table[n] = special{specialZone(n, serial), s.lan, s.strict}
	}
	for _, s := range specialPrefixes {
		for _, origin := range specialOrigins(netip.MustParsePrefix(s.prefix)) {
			table[origin] = special{specialZone(origin, serial), s.lan, s.strict}
		}
	}
	addLoopback(table)
	return table
}

// localhost is the one special name with addresses, forward and reverse.
const localhost = name("\x09localhost\x00")

func addLoopback(table map[name]special) {
	for _, addr := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		z := table[localhost].zone
		star, _ := localhost.child("*")
		z.add(localhost, addressRecord(localhost, addr, loopbackTTL), specialName)
		z.add(star, addressRecord(star, addr, loopbackTTL), specialName)
		reverse := reverseName(addr)
		for origin := reverse; origin != root; origin = origin.parent() {
			if s, ok := table[origin]; ok {
				s.zone.add(reverse, pointer(reverse, localhost, loopbackTTL), specialName)
				break
			}
		}
	}
}

const loopbackTTL = 86400 // seconds

func specialOrigins(prefix netip.Prefix) []name {
	if prefix.IsSingleIP() {
		return []name{reverseName(prefix.Addr())}
	}
	var names []name
	for _, p := range reverseOrigins(prefix) {
		names = append(names, reverseOrigin(p))
	}
	return names
}

// specialZone is an empty zone as RFC 6303 section 3 describes it: it names itself as its server.
func specialZone(origin name, serial uint32) *zone {
	z := newZone(origin, origin, serial)
	z.soa.(*dns.SOA).Mbox = "nobody.invalid."
	return z
}

// lookup answers for a name at or under the special one.
func (s special) lookup(n name, qtype uint16, snap *snapshot, now time.Time) found {
	f := s.zone.lookup(n, qtype, now)
	if f.status == nxDomain && snap.exists(n) {
		f.status = noData
	}
	f.why = specialName
	return f
}

// private tells whether a server can be part of the local network, and so know its names.
func private(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() ||
		netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10).Contains(addr)
}
