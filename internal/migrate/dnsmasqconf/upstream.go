package dnsmasqconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// resolver is the resolver block that is being made.
type resolver struct {
	general []netip.AddrPort
	from    []int
	zones   []zone

	rebindAllow []string
	blockLines  []string
	blockFrom   []int
	blockNull   []bool // of each of blockLines: it is answered with an address of nothing
	lists       []list
	cache       string
	cacheAt     int
	stale       string
	staleAt     int
}

// zone is a domain that servers of its own are asked about.
type zone struct {
	name    string
	servers []netip.AddrPort
	usual   bool // those for every domain
	from    []int
}

// list is a file of names to block.
type list struct {
	path    string
	finding Finding
	names   int
	null    bool // its lines answer with an address of nothing
}

// typeName is what a record type is called here; "" for those that can't be set.
func typeName(n uint16) string {
	switch n {
	case dns.TypeSOA, dns.TypeNS, dns.TypeDNAME, dns.TypeNone, dns.TypeANY, dns.TypeOPT, dns.TypeTSIG, dns.TypeTKEY, dns.TypeAXFR, dns.TypeIXFR,
		dns.TypeDNSKEY, dns.TypeDS, dns.TypeCDS, dns.TypeCDNSKEY, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNULL, dns.TypeSIG, dns.TypeKEY:
		return ""
	}
	if name, ok := dns.TypeToString[n]; ok {
		return name
	}
	return fmt.Sprintf("TYPE%d", n)
}

// slashed cuts /a/b/rest into a and b, and the rest. There are no domains without a slash at the beginning.
func slashed(arg string) (domains []string, rest string, ok bool) {
	if !strings.HasPrefix(arg, "/") {
		return nil, arg, true
	}
	parts := strings.Split(arg[1:], "/")
	if len(parts) < 2 {
		return nil, "", false
	}
	for _, one := range parts[:len(parts)-1] {
		domains = append(domains, strings.ToLower(strings.Trim(plain(one), ".")))
	}
	return domains, parts[len(parts)-1], true
}

// server reads server= and local=.
func (im *importer) server(d Directive) {
	domains, rest, ok := slashed(d.Arg)
	if !ok {
		im.mistake(d, "a slash is missing behind the domain")
		return
	}
	target := plain(rest)
	if len(domains) == 0 && target == "" {
		im.mistake(d, "it names no server")
		return
	}
	at, level, why := im.upstreamAddress(target)
	im.note(level, why)
	if level == Unsupported {
		return
	}
	if len(domains) == 0 {
		if !im.ourselves(at) {
			im.resolver.general = add(im.resolver.general, at)
			im.resolver.from = append(im.resolver.from, im.at)
			if _, only := im.has("no-resolv"); !only {
				im.note(Approximated, "those of resolv.conf aren't asked beside it")
			}
		}
		return
	}
	for _, domain := range domains {
		switch {
		case domain == "":
			im.note(Ignored, "names without a dot are never forwarded")
		case target == "":
			im.keepHome(domain)
		case target == "#":
			im.addZone(domain, netip.AddrPort{}, true)
		default:
			if !im.ourselves(at) {
				im.addZone(domain, at, false)
			}
		}
	}
}

func add(servers []netip.AddrPort, one netip.AddrPort) []netip.AddrPort {
	if slices.Contains(servers, one) {
		return servers
	}
	return append(servers, one)
}

// ourselves notes an upstream that labnet itself would be.
func (im *importer) ourselves(at netip.AddrPort) bool {
	for _, n := range im.networks {
		if at.Addr() == n.host && at.Port() == 53 {
			im.note(Unsupported, "the upstream would be labnet itself")
			return true
		}
	}
	return false
}

// upstreamAddress reads ADDRESS[#PORT][@INTERFACE|@SOURCE[#PORT]].
func (im *importer) upstreamAddress(s string) (netip.AddrPort, Level, string) {
	if s == "" || s == "#" {
		return netip.AddrPort{}, Exact, ""
	}
	s, source, _ := strings.Cut(s, "@")
	host, port, has := strings.Cut(s, "#")
	number := uint64(53)
	a, err := netip.ParseAddr(host)
	if err == nil && has {
		number, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || number == 0 || a.IsUnspecified() || a.IsMulticast() {
		return netip.AddrPort{}, Unsupported, fmt.Sprintf("%q is not the address of a server", s)
	}
	if source != "" {
		return netip.AddrPortFrom(a, uint16(number)), Approximated, "questions leave by the route to the server"
	}
	return netip.AddrPortFrom(a, uint16(number)), Exact, ""
}

func (im *importer) addZone(domain string, at netip.AddrPort, usual bool) {
	domain = strings.TrimPrefix(domain, "*.")
	if strings.Contains(domain, "*") || checkDomain(strings.ReplaceAll(domain, "_", "x")) != nil {
		im.note(Unsupported, fmt.Sprintf("%q is not a domain", domain))
		return
	}
	for _, n := range im.networks {
		if !im.noPort && (domain == n.domain || strings.HasSuffix(domain, "."+n.domain)) {
			im.note(Unsupported, fmt.Sprintf("names in %s are answered here alone and never forwarded", n.domain))
			return
		}
	}
	z := im.zone(domain)
	z.from = append(z.from, im.at)
	if usual {
		z.usual = true
	} else {
		z.servers = add(z.servers, at)
	}
}

func (im *importer) zone(domain string) *zone {
	for i := range im.resolver.zones {
		if im.resolver.zones[i].name == domain {
			return &im.resolver.zones[i]
		}
	}
	im.resolver.zones = append(im.resolver.zones, zone{name: domain})
	return &im.resolver.zones[len(im.resolver.zones)-1]
}

// keepHome is a domain that isn't forwarded.
func (im *importer) keepHome(domain string) {
	for _, n := range im.networks {
		switch {
		case domain == n.domain || strings.HasSuffix(domain, "."+n.domain):
			return
		case strings.HasSuffix(domain, ".in-addr.arpa") && insideReverse(domain, n.subnet):
			return
		}
	}
	im.block(domain, false)
}

// insideReverse tells whether a reverse zone is that of a network, or within it.
func insideReverse(zone string, subnet netip.Prefix) bool {
	labels := strings.Split(strings.TrimSuffix(zone, ".in-addr.arpa"), ".")
	slices.Reverse(labels)
	bits := 8 * len(labels)
	for len(labels) < 4 {
		labels = append(labels, "0")
	}
	a, err := netip.ParseAddr(strings.Join(labels, "."))
	return err == nil && bits >= subnet.Bits() && subnet.Contains(a)
}

// revServer reads rev-server=ADDRESS[/LENGTH][,SERVER].
func (im *importer) revServer(d Directive) {
	parts := fields(d.Arg)
	p, ok := subnetOf(plain(parts[0]))
	if !ok {
		if _, err := netip.ParsePrefix(plain(parts[0])); err == nil {
			im.note(Unsupported, "reverse names of IPv6 are asked of the usual servers")
			return
		}
		im.mistake(d, "%q is not a subnet", plain(parts[0]))
		return
	}
	target := ""
	if len(parts) > 1 {
		target = plain(parts[1])
	}
	at, level, why := im.upstreamAddress(target)
	im.note(level, why)
	if level == Unsupported {
		return
	}
	for _, zone := range reverseZones(p) {
		switch target {
		case "":
			im.keepHome(zone)
		case "#":
			im.addZone(zone, netip.AddrPort{}, true)
		default:
			im.addZone(zone, at, false)
		}
	}
}

// reverseZones are the zones of whole bytes that a subnet has.
func reverseZones(p netip.Prefix) []string {
	octets := max((p.Bits()+7)/8, 1)
	count := 1 << (8*octets - p.Bits())
	b := p.Masked().Addr().As4()
	var out []string
	for i := range count {
		var labels []string
		for j := octets - 1; j >= 0; j-- {
			v := int(b[j])
			if j == octets-1 {
				v += i
			}
			labels = append(labels, strconv.Itoa(v))
		}
		out = append(out, strings.Join(labels, ".")+".in-addr.arpa")
	}
	return out
}

func (im *importer) resolvFile(d Directive) {
	path := plain(d.Arg)
	if path == "" || path == "/etc/resolv.conf" {
		return
	}
	if _, ok := im.has("no-resolv"); ok {
		im.note(Ignored, "no-resolv says not to read it")
		return
	}
	text, err := im.reader.read(path)
	if err != nil {
		im.note(Approximated, fmt.Sprintf("%s: %v; the host's own resolvers are asked", path, err))
		return
	}
	im.note(Approximated, "of what it has now; it isn't followed")
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "nameserver" {
			if at, level, _ := im.upstreamAddress(words[1]); level == Exact && !im.ourselves(at) {
				im.resolver.general = add(im.resolver.general, at)
				im.resolver.from = append(im.resolver.from, im.at)
			}
		}
	}
}

func (im *importer) noResolv(Directive) {
	usual := slices.ContainsFunc(im.directives(), func(d Directive) bool {
		return d.Name == "server" && !strings.HasPrefix(d.Arg, "/") && !im.blocked[d.File]
	})
	if !usual && !im.noPort {
		im.note(Unsupported, "nobody would be asked; labnet asks the host's own resolvers")
	}
}
