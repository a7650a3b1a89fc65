package dnsmasqconf

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// listen is an interface= line.
type listen struct {
	name string
	at   int
}

// dhcpRange is a dhcp-range of IPv4.
type dhcpRange struct {
	at         int
	start, end netip.Addr
	mask       int // prefix length; 0: not said
	time       time.Duration
	set        string
	static     bool
}

// infinite is how dnsmasq and the wire say for ever.
const infinite = 0xffffffff * time.Second

// defaultLease is what dnsmasq leases for where nothing is said.
const defaultLease = time.Hour

func (im *importer) listenOn(d Directive) {
	for _, part := range fields(d.Arg) {
		name := plain(part)
		switch {
		case name == "lo":
			im.note(Ignored, "labnet listens on its bridges alone: let the host itself ask the bridge's address")
		case strings.HasSuffix(name, "*"):
			im.note(Unsupported, "a network is one bridge, not a pattern")
		case name != "":
			im.listens = append(im.listens, listen{name, im.at})
		}
	}
}

func (im *importer) listenAddress(d Directive) {
	for _, part := range fields(d.Arg) {
		a, err := netip.ParseAddr(plain(part))
		switch {
		case err != nil:
			im.mistake(d, "%q is not an address", plain(part))
		case a.IsLoopback():
			im.note(Ignored, "labnet listens on its bridges alone: let the host itself ask the bridge's address")
		case !a.Is4():
			im.note(Unsupported, "networks are of IPv4")
		default:
			im.guests = append(im.guests, a)
		}
	}
}

func (im *importer) noDHCPInterface(d Directive) {
	if im.noDHCP == nil {
		im.noDHCP = map[string]Directive{}
	}
	for _, part := range fields(d.Arg) {
		im.noDHCP[plain(part)] = d
	}
}

// tagged cuts "tag:x" or the old "net:x", and tells whether it is one.
func tagged(part string) (string, bool) {
	for _, prefix := range []string{"tag:", "net:"} {
		if rest, ok := strings.CutPrefix(part, prefix); ok {
			return plain(rest), true
		}
	}
	return "", false
}

// setting cuts "set:x", and takes anything else for the old form of it.
func setting(part string) string {
	for _, prefix := range []string{"set:", "net:"} {
		if rest, ok := strings.CutPrefix(part, prefix); ok {
			return plain(rest)
		}
	}
	return plain(part)
}

func (im *importer) dhcpRange(d Directive) {
	parts := fields(d.Arg)
	r := dhcpRange{at: im.at, time: defaultLease}
	var filter []string
	for len(parts) > 2 && strings.Trim(parts[0], " .:abcdefABCDEF0123456789") != "" {
		if tag, ok := tagged(parts[0]); ok {
			filter = append(filter, tag)
		} else if r.set != "" {
			im.mistake(d, "a range sets one tag only")
			return
		} else {
			r.set = setting(parts[0])
		}
		parts = parts[1:]
	}
	if len(parts) < 2 {
		im.mistake(d, "it needs a start and an end")
		return
	}
	start, err := netip.ParseAddr(plain(parts[0]))
	switch {
	case err != nil:
		im.mistake(d, "%q is not an address", plain(parts[0]))
		return
	case !start.Is4():
		im.note(Unsupported, "DHCPv6 and router advertisements aren't served")
		return
	case len(filter) > 0:
		im.note(Unsupported, "a range serves all clients of its network, not those with a tag")
		return
	}
	if !start.IsPrivate() && (start.IsUnspecified() || start.IsLoopback() || start.IsLinkLocalUnicast() || start.As4()[0] == 0 || start.As4()[0] >= 224) {
		im.note(Unsupported, "no network of hosts has these addresses")
		return
	}
	r.start, r.end = start, start
	switch plain(parts[1]) {
	case "static":
		r.static = true
	case "proxy":
		im.note(Unsupported, "labnet answers no boot ROM beside another DHCP server")
		return
	default:
		if r.end, err = netip.ParseAddr(plain(parts[1])); err != nil || !r.end.Is4() {
			im.mistake(d, "%q is not the end of a range", plain(parts[1]))
			return
		}
	}
	if r.end.Less(r.start) {
		r.start, r.end = r.end, r.start
	}
	im.restOfRange(d, r, parts[2:])
}

// restOfRange reads netmask, broadcast address and lease time.
func (im *importer) restOfRange(d Directive, r dhcpRange, parts []string) {
	if len(parts) > 0 && strings.Contains(parts[0], ".") {
		mask, err := netip.ParseAddr(plain(parts[0]))
		bits, ok := maskBits(mask)
		if err != nil || !ok {
			im.mistake(d, "%q is not a netmask", plain(parts[0]))
			return
		}
		r.mask, parts = bits, parts[1:]
		if p, _ := r.start.Prefix(bits); !p.Contains(r.end) {
			im.mistake(d, "%s is not in the subnet of %s", r.end, r.start)
			return
		}
		if len(parts) > 0 && strings.Contains(parts[0], ".") {
			if p, _ := r.start.Prefix(bits); plain(parts[0]) != lastOf(p).String() {
				im.note(Approximated, "the broadcast address is the subnet's last one")
			}
			parts = parts[1:]
		}
	}
	if len(parts) > 1 {
		im.mistake(d, "%q is too much", plain(parts[1]))
		return
	}
	if len(parts) == 1 {
		var ok bool
		if r.time, ok = leaseTime(plain(parts[0])); !ok {
			im.mistake(d, "%q is not a lease time", plain(parts[0]))
			return
		}
	}
	im.ranges = append(im.ranges, r)
}

// leaseTime reads a lease time, of two minutes at least.
func leaseTime(s string) (time.Duration, bool) {
	if s == "infinite" {
		return infinite, true
	}
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	unit := time.Second
	if s != "" {
		if u, ok := units[s[len(s)-1]|0x20]; ok {
			unit, s = u, s[:len(s)-1]
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil {
		return 0, false
	}
	return max(min(time.Duration(n)*unit, infinite), 2*time.Minute), true
}

func maskBits(mask netip.Addr) (int, bool) {
	if !mask.Is4() {
		return 0, false
	}
	bits := 0
	ended := false
	for _, b := range mask.As4() {
		for i := 7; i >= 0; i-- {
			set := b>>i&1 == 1
			if set && ended {
				return 0, false
			}
			ended = ended || !set
			if set {
				bits++
			}
		}
	}
	return bits, true
}

// lastOf is the last address of a subnet.
func lastOf(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		a[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(a)
}
