package dnsmasqconf

import (
	"net/netip"
	"strings"
	"time"
)

// network is a network block that is being made.
type network struct {
	name    string
	from    []int        // the directives that it comes from
	subnet  netip.Prefix // masked
	host    netip.Addr   // the bridge's own address
	iface   string       // dnsmasq's; "": none is named
	ifaceAt int
	bridge  string
	attach  string // the card that becomes a port; "": none
	adopt   bool

	ranges   []dhcpRange
	time     time.Duration
	static   bool // only hosts get addresses
	noDHCP   bool
	isolated bool
	domain   string
	domainAt int // -1: made up
	deny     []int

	given   given
	classes []*class
	hosts   []*host
	records []*record
	names   map[string]bool // of hosts, which are unique
}

// given is what clients are told, all of them or some.
type given struct {
	options []option
	boot    *boot
}

// host is a host block.
type host struct {
	name, mac, clientID, hostname string
	addr                          netip.Addr
	time                          time.Duration // 0: the network's
	from                          []int
	tags                          []string
	given
}

// record is a record block.
type record struct {
	name, kind string
	values     []string
	ttl        string
	from       []int
}

// hook is the block of a script.
type hook struct {
	command string
	at      int
}

// tells returns the network of an address.
func (im *importer) networkOf(a netip.Addr) *network {
	for _, n := range im.networks {
		if n.subnet.Contains(a) {
			return n
		}
	}
	return nil
}

// domainLine is a domain= line.
type domainLine struct {
	name string
	in   netip.Prefix // invalid: all
	at   int
}

func (im *importer) domain(d Directive) {
	parts := fields(d.Arg)
	name := strings.Trim(strings.ToLower(plain(parts[0])), ".")
	line := domainLine{name: name, at: im.at}
	if name == "#" {
		im.note(Unsupported, "the domain of resolv.conf is the host's, not the guests'")
		return
	}
	if err := checkDomain(name); err != nil {
		im.mistake(d, "%v", err)
		return
	}
	if len(parts) > 1 {
		p, ok := subnetOf(plain(parts[1]))
		if !ok {
			im.note(Unsupported, "a domain is a whole network's")
			return
		}
		line.in = p
		if len(parts) > 2 && plain(parts[2]) != "local" {
			im.note(Approximated, "a domain is a whole network's")
		}
	}
	im.domains = append(im.domains, line)
}

// subnetOf reads 10.0.0.0/24, or an address that stands for the network it is in.
func subnetOf(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil && p.Addr().Is4() {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, 32), true
}

func (im *importer) port(d Directive) {
	switch plain(d.Arg) {
	case "0":
		im.noPort = true
	case "53":
	default:
		im.note(Unsupported, "names are served on port 53 alone")
	}
}

// nameDomains gives each network its domain.
func (im *importer) nameDomains() {
	var general *domainLine
	for i := range im.domains {
		line := &im.domains[i]
		if !line.in.IsValid() {
			general = line // the last one counts
			continue
		}
		found := false
		for _, n := range im.networks {
			if n.subnet.Overlaps(line.in) && n.domain == "" {
				n.domain, n.domainAt, found = line.name, line.at, true
			}
		}
		if !found {
			im.noteAt(line.at, Unsupported, "no network has these addresses")
		}
	}
	if general == nil {
		general = im.domainOfLocal()
	}
	taken := map[string]bool{}
	for _, n := range im.networks {
		if n.domain != "" {
			taken[n.domain] = true
		}
	}
	for _, n := range im.networks {
		if n.domain != "" {
			continue
		}
		n.domain, n.domainAt = n.name+".internal", -1
		if general == nil {
			continue
		}
		n.domain, n.domainAt = general.name, general.at
		if taken[n.domain] {
			n.domain = n.name + "." + n.domain
			im.noteAt(general.at, Approximated, "each network has a domain of its own: "+n.domain+" for "+n.name)
		}
		taken[n.domain] = true
	}
}

// domainOfLocal is the domain that local= keeps at home where no domain= says one, if other lines have names in it.
func (im *importer) domainOfLocal() *domainLine {
	for i, d := range im.directives() {
		rest, ok := strings.CutPrefix(plain(d.Arg), "/")
		name, after, closed := strings.Cut(rest, "/")
		if d.Name == "local" && !im.blocked[d.File] && ok && closed && after == "" && checkDomain(name) == nil && !strings.HasSuffix(name, ".arpa") && im.mentioned(name, i) {
			return &domainLine{name: strings.ToLower(name), at: i}
		}
	}
	return nil
}

// mentioned tells whether another line than at has a name in a domain.
func (im *importer) mentioned(domain string, at int) bool {
	for i, d := range im.directives() {
		if i != at && !im.blocked[d.File] && strings.Contains(strings.ToLower(plain(d.Arg)), "."+domain) {
			return true
		}
	}
	return false
}
