package dnsmasqconf

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// makeNetworks makes a network of each subnet that has a range, and of each interface whose address is known.
func (im *importer) makeNetworks() {
	known := im.knownAddresses()
	for _, r := range im.ranges {
		subnet := im.subnetFor(r, known)
		n := im.networkOf(r.start)
		if n == nil {
			n = &network{subnet: subnet, ifaceAt: -1, names: map[string]bool{}}
			im.networks = append(im.networks, n)
		}
		n.from = append(n.from, r.at)
		if r.static {
			n.static = true
		} else {
			n.ranges = append(n.ranges, r)
		}
		if n.time != 0 && n.time != r.time {
			im.noteAt(r.at, Approximated, "a network has one lease time: that of its first range")
		}
		if n.time == 0 {
			n.time = r.time
		}
	}
	for _, k := range known {
		if k.Prefix.IsValid() && im.networkOf(k.Prefix.Addr()) == nil {
			im.networks = append(im.networks, &network{subnet: k.Prefix.Masked(), host: k.Prefix.Addr(), noDHCP: true, ifaceAt: -1, names: map[string]bool{}})
		}
	}
	if len(im.networks) == 0 && len(im.reader.mistakes) > 0 {
		return
	}
	if len(im.networks) == 0 {
		im.reader.mistakes = append(im.reader.mistakes, Mistake{im.firstFile(), 0, "no network is found: there is no dhcp-range of IPv4, and no interface whose address is known; name one by --address INTERFACE=ADDRESS/LENGTH"})
		return
	}
	im.pair(known)
	for _, n := range im.networks {
		im.addressFor(n, known)
	}
	im.nameNetworks()
	im.nameDomains()
	im.tagNetworks()
}

func (im *importer) firstFile() string {
	if len(im.directives()) == 0 {
		return commandLine
	}
	return im.directives()[0].File
}

// knownAddresses are those that the user gave, and those of this host's interfaces that the configuration names.
func (im *importer) knownAddresses() []Interface {
	known := slices.Clone(im.o.Addresses)
	if im.o.Running == nil {
		return known
	}
	for _, l := range im.listens {
		given := slices.ContainsFunc(known, func(k Interface) bool { return k.Name == l.name })
		if at, ok := im.o.Running(l.name); ok && !given && at.Prefix.IsValid() {
			known = append(known, at)
		}
	}
	return known
}

// subnetFor is the subnet of a range. dnsmasq takes it from the interface where the range has no netmask.
func (im *importer) subnetFor(r dhcpRange, known []Interface) netip.Prefix {
	if r.mask != 0 {
		p, _ := r.start.Prefix(r.mask)
		return p
	}
	for _, k := range known {
		if k.Prefix.IsValid() && k.Prefix.Contains(r.start) {
			return k.Prefix.Masked()
		}
	}
	for bits := 24; bits >= 8; bits-- {
		if p, _ := r.start.Prefix(bits); p.Contains(r.end) {
			im.noteAt(r.at, Approximated, fmt.Sprintf("no netmask is said, and the interface isn't here: a /%d is guessed", bits))
			return p
		}
	}
	return netip.PrefixFrom(r.start, 8).Masked()
}

// pair finds each network's interface. Subnets that no interface is left for are those of relays.
func (im *importer) pair(known []Interface) {
	var free []listen
	for _, l := range im.listens {
		matched := false
		for _, k := range known {
			if k.Name == l.name && k.Prefix.IsValid() {
				n := im.networkOf(k.Prefix.Addr())
				n.iface, n.ifaceAt, matched = l.name, l.at, true
			}
		}
		for _, n := range im.networks {
			if !matched && n.iface == "" && slices.ContainsFunc(n.ranges, func(r dhcpRange) bool { return r.set != "" && strings.Contains(l.name, r.set) }) {
				n.iface, n.ifaceAt, matched = l.name, l.at, true
			}
		}
		if !matched {
			free = append(free, l)
		}
	}
	var open []*network
	for _, n := range im.networks {
		if n.iface == "" {
			open = append(open, n)
		}
	}
	if len(im.listens) > 0 && len(open) > len(free) {
		open = im.dropRelayed(open, len(free))
	}
	for i, n := range open {
		if i < len(free) {
			n.iface, n.ifaceAt = free[i].name, free[i].at
			if len(open) > 1 || len(free) > 1 {
				im.noteAt(free[i].at, Approximated, fmt.Sprintf("its address isn't known: it is taken for that of %v, by the order of the lines", n.subnet))
			}
		}
	}
	for i := len(open); i < len(free); i++ {
		im.noteAt(free[i].at, Unsupported, fmt.Sprintf("its address isn't known, and no range is left for it: name it by --address %s=ADDRESS/LENGTH", free[i].name))
	}
}

// dropRelayed leaves out subnets that have a netmask, as those behind relays must, until there are not more than interfaces.
func (im *importer) dropRelayed(open []*network, interfaces int) []*network {
	for i := len(open) - 1; i >= 0 && len(open) > interfaces; i-- {
		n := open[i]
		if len(n.ranges) > 0 && n.ranges[0].mask == 0 || n.host.IsValid() {
			continue
		}
		for _, at := range n.from {
			im.noteAt(at, Unsupported, fmt.Sprintf("%v is on no interface that is named, so it is behind a relay; labnet serves the subnets of its own bridges", n.subnet))
		}
		open = slices.Delete(open, i, i+1)
		im.networks = slices.DeleteFunc(im.networks, func(o *network) bool { return o == n })
	}
	return open
}

// addressFor finds the host's own address in a network.
func (im *importer) addressFor(n *network, known []Interface) {
	inside := func(a netip.Addr) bool {
		return a.Is4() && n.subnet.Contains(a) && a != n.subnet.Addr() && a != lastOf(n.subnet)
	}
	for _, k := range known {
		if !n.host.IsValid() && k.Prefix.IsValid() && inside(k.Prefix.Addr()) {
			n.host = k.Prefix.Addr()
		}
	}
	for _, a := range im.guests {
		if !n.host.IsValid() && inside(a) {
			n.host = a
		}
	}
	if n.host.IsValid() || len(n.from) == 0 {
		return
	}
	for i, d := range im.directives() {
		o, err := parseOption(d)
		if (d.Name == "dhcp-option" || d.Name == "dhcp-option-force") && err == nil && o.code == 3 && len(o.data) == 4 && inside(netip.AddrFrom4([4]byte(o.data))) {
			n.host = netip.AddrFrom4([4]byte(o.data))
			im.noteAt(n.from[0], Approximated, fmt.Sprintf("the bridge's address isn't known: %v, the router of line %d, is taken", n.host, im.directives()[i].Line))
			return
		}
	}
	n.host = n.subnet.Addr().Next()
	if slices.ContainsFunc(n.ranges, func(r dhcpRange) bool { return !n.host.Less(r.start) && !r.end.Less(n.host) }) {
		if last := lastOf(n.subnet).Prev(); !slices.ContainsFunc(n.ranges, func(r dhcpRange) bool { return !last.Less(r.start) && !r.end.Less(last) }) {
			n.host = last
		}
	}
	im.noteAt(n.from[0], Approximated, fmt.Sprintf("the bridge's address isn't in the file: %v is guessed; name it by --address", n.host))
}

// card is what network cards are called, and VLANs on them.
var card = regexp.MustCompile(`^(eth|en|wl|ww|usb|sl|ib)[a-z0-9]*[0-9]|^(lan|wan|bond|team)[0-9]*$|\.[0-9]+$`)

// nameNetworks gives networks and bridges their names.
func (im *importer) nameNetworks() {
	base := im.o.Network
	taken := map[string]bool{}
	for i, n := range im.networks {
		name := base
		if name == "" {
			name = "lab"
		}
		if len(im.networks) > 1 {
			own := fmt.Sprintf("%s%d", name, i+1)
			if n.iface != "" {
				own = label(n.iface)
			}
			for _, r := range n.ranges {
				if r.set != "" && label(r.set) != "" {
					own = label(r.set)
					break
				}
			}
			if name = own; base != "" {
				name = base + "-" + own
			}
			for taken[name] {
				name += "x"
			}
		}
		taken[name] = true
		n.name = name
		im.bridgeFor(n)
	}
}

func (im *importer) bridgeFor(n *network) {
	if _, off := im.noDHCP[n.iface]; off && n.iface != "" {
		n.noDHCP = true
	}
	n.bridge = "br0"
	if len(im.networks) > 1 {
		n.bridge = cut("br-"+n.name, 15)
	}
	if n.iface == "" {
		return
	}
	here, running := Interface{}, false
	if im.o.Running != nil {
		here, running = im.o.Running(n.iface)
	}
	switch {
	case running && here.Bridge:
		n.bridge, n.adopt = n.iface, true
		im.noteAt(n.ifaceAt, Approximated, "the bridge is here already: it stays its owner's (adopt)")
	case running || card.MatchString(n.iface):
		n.bridge, n.attach = cut("br-"+n.name, 15), n.iface
		im.noteAt(n.ifaceAt, Approximated, fmt.Sprintf("labnet serves bridges: %s becomes a port of %s, which has the address; take it off %s", n.iface, n.bridge, n.iface))
	default:
		n.bridge = n.iface
	}
}

func cut(s string, most int) string { return strings.TrimRight(s[:min(len(s), most)], "-") }

// label makes a DNS label of a name, or "".
func label(s string) string {
	s = strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(s), "-"), "-")
	return strings.TrimRight(s[:min(len(s), 63)], "-")
}

// tagNetworks notes the tags that dnsmasq sets by range and interface.
func (im *importer) tagNetworks() {
	for _, n := range im.networks {
		seen := map[string]bool{}
		for _, r := range n.ranges {
			if r.set != n.ranges[0].set {
				im.noteAt(r.at, Approximated, "what is for the tag of one range is for the whole network")
			}
			if r.set != "" && !seen[r.set] {
				seen[r.set] = true
				im.tags[r.set] = append(im.tags[r.set], alternative{network: n})
			}
		}
		if n.iface != "" {
			im.tags[n.iface] = append(im.tags[n.iface], alternative{network: n})
		}
	}
	for _, r := range im.ranges {
		if r.static && r.set != "" {
			if n := im.networkOf(r.start); n != nil {
				im.tags[r.set] = append(im.tags[r.set], alternative{network: n})
			}
		}
	}
}
