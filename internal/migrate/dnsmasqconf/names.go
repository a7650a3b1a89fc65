package dnsmasqconf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"labnet/internal/config"
)

// checkDomain returns why a name can't be a network's domain.
func checkDomain(name string) error {
	if name == "" {
		return fmt.Errorf("the domain is empty")
	}
	for part := range strings.SplitSeq(name, ".") {
		// A domain's labels may be all digits; a host's name may not.
		if err := config.CheckHostName("x" + part); err != nil || part == "" || len(part) > 63 {
			return fmt.Errorf("%q is not a domain", name)
		}
	}
	return nil
}

// ending is a TTL at the end of a directive's value, and the rest.
func ending(parts []string) ([]string, string) {
	if n := len(parts); n > 1 && isNumber(plain(parts[n-1])) {
		return parts[:n-1], plain(parts[n-1]) + "s"
	}
	return parts, ""
}

// owner finds the network that answers for a name, and the name in its domain; false and the reason if there is none.
func (im *importer) owner(name string) (*network, string, string) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if im.noPort {
		return nil, "", "names aren't served at all (port=0)"
	}
	var best *network
	for _, n := range im.networks {
		if (name == n.domain || strings.HasSuffix(name, "."+n.domain)) && (best == nil || len(n.domain) > len(best.domain)) {
			best = n
		}
	}
	switch {
	case best != nil && name == best.domain:
		return best, "@", ""
	case best != nil:
		return best, strings.TrimSuffix(name, "."+best.domain), ""
	case strings.HasSuffix(name, ".in-addr.arpa"):
		if a, ok := reverseAddr(name); ok && im.networkOf(a) != nil {
			return im.networkOf(a), name + ".", ""
		}
		return nil, "", "no network has this address"
	case !strings.Contains(name, "."):
		im.note(Approximated, fmt.Sprintf("the name is in the network's domain, %s", im.networks[0].domain))
		return im.networks[0], name, ""
	}
	return nil, "", elsewhere
}

// elsewhere is why a name has no owner, if it is one of the outside.
const elsewhere = "such records are of names in a network's own domain"

func reverseAddr(name string) (netip.Addr, bool) {
	parts := strings.Split(strings.TrimSuffix(name, ".in-addr.arpa"), ".")
	slices.Reverse(parts)
	a, err := netip.ParseAddr(strings.Join(parts, "."))
	return a, err == nil && a.Is4()
}

// record adds a record, or notes why it can't.
func (im *importer) record(name, kind, val, ttl string) {
	n, short, why := im.owner(name)
	if why != "" {
		im.note(Unsupported, why)
		return
	}
	im.recordIn(n, short, kind, val, ttl)
}

func (im *importer) recordIn(n *network, short, kind, val, ttl string) {
	if ttl == "" {
		if d, ok := im.last("local-ttl"); ok && isNumber(plain(d.Arg)) {
			ttl = plain(d.Arg) + "s"
		}
	}
	if short == "gateway" && (kind == "A" || kind == "CNAME") {
		if kind == "A" && val == n.host.String() {
			return // it is there by itself
		}
		im.note(Unsupported, "the name gateway is the bridge's own")
		return
	}
	var beside *record
	for _, r := range n.records {
		if r.name == short && r.kind == kind {
			if !slices.Contains(r.values, val) {
				r.values = append(r.values, val)
			}
			r.from = append(r.from, im.at)
			return
		}
		if r.name == short && (r.kind == "CNAME" || kind == "CNAME") {
			beside = r
		}
	}
	if beside != nil || kind == "CNAME" && n.names[short] {
		im.note(Unsupported, "a CNAME stands alone: the name has something else already")
		return
	}
	n.records = append(n.records, &record{name: short, kind: kind, values: []string{val}, ttl: ttl, from: []int{im.at}})
}

// absolute is a target: with its last dot, and a name without any dot in the network's domain.
func (im *importer) absolute(target string) string {
	target = strings.ToLower(strings.TrimSuffix(target, "."))
	if !strings.Contains(target, ".") {
		return target + "." + im.networks[0].domain + "."
	}
	return target + "."
}

func (im *importer) addressRecord(name string, a netip.Addr, ttl string) {
	kind := "A"
	if a.Is6() {
		kind = "AAAA"
	}
	if _, _, why := im.owner(name); why == elsewhere {
		im.outside(name, a)
		return
	}
	im.record(name, kind, a.String(), ttl)
}

func (im *importer) hostRecord(d Directive) {
	parts, ttl := ending(fields(d.Arg))
	var names []string
	var addrs []netip.Addr
	for _, part := range parts {
		if a, err := netip.ParseAddr(strings.Trim(plain(part), "[]")); err == nil {
			addrs = append(addrs, a)
		} else {
			names = append(names, plain(part))
		}
	}
	if len(names) == 0 || len(addrs) == 0 {
		im.mistake(d, "it needs a name and an address")
		return
	}
	for _, name := range names {
		for _, a := range addrs {
			im.addressRecord(name, a, ttl)
		}
	}
	im.reverse(names[0], addrs, ttl)
}

// reverse adds the PTR records of host-record, for addresses of networks.
func (im *importer) reverse(name string, addrs []netip.Addr, ttl string) {
	_, _, why := im.owner(name)
	for _, a := range addrs {
		n := im.networkOf(a)
		if why != "" || n == nil || a == n.host || slices.ContainsFunc(n.hosts, func(h *host) bool { return h.addr == a }) {
			if a.Is4() && n == nil && why == "" {
				im.note(Approximated, "the reverse name of an address outside the networks isn't answered")
			}
			continue
		}
		b := a.As4()
		im.recordIn(n, fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa.", b[3], b[2], b[1], b[0]), "PTR", im.absolute(name), ttl)
	}
}
