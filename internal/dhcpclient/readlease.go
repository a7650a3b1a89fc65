package dhcpclient

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/rfc1035label"
)

const (
	// minLifetime is the shortest lease that is taken: half of the check for conflicts alone takes as long as one of a few seconds.
	minLifetime = 10 * time.Second
	// minMTU is the smallest that is taken: every host must be able to receive that much (RFC 791 section 3.1).
	minMTU = 576
	// maxResolvers and maxSearch bound what a server can make others write down.
	maxResolvers, maxSearch = 8, 32
)

// readLease checks what a server gives. Without what makes a lease it is an error; what can't be used of the rest is left out.
func readLease(addr, server netip.Addr, options dhcpv4.Options) (Lease, error) {
	prefix, err := subnetOf(addr, options.Get(dhcpv4.OptionSubnetMask))
	if err != nil {
		return Lease{}, err
	}
	l := Lease{Addr: prefix, Server: server}
	if err := l.readTimes(options); err != nil {
		return Lease{}, err
	}
	l.Routes = readRoutes(prefix, options)
	for _, a := range addrs(options.Get(dhcpv4.OptionDomainNameServer)) {
		if isMachine(a) && !slices.Contains(l.Resolvers, a) && len(l.Resolvers) < maxResolvers {
			l.Resolvers = append(l.Resolvers, a)
		}
	}
	l.Domain = domain(string(options.Get(dhcpv4.OptionDomainName)))
	if labels, err := rfc1035label.FromBytes(options.Get(dhcpv4.OptionDNSDomainSearchList)); err == nil {
		for _, name := range labels.Labels {
			if name = domain(name); name != "" && !slices.Contains(l.Search, name) && len(l.Search) < maxSearch {
				l.Search = append(l.Search, name)
			}
		}
	}
	if b := options.Get(dhcpv4.OptionInterfaceMTU); len(b) == 2 && binary.BigEndian.Uint16(b) >= minMTU {
		l.MTU = int(binary.BigEndian.Uint16(b))
	}
	return l, nil
}

// subnetOf is an address with the length of its mask. Without one, it is that of the address's class, as clients take it.
func subnetOf(addr netip.Addr, mask []byte) (netip.Prefix, error) {
	if !isMachine(addr) {
		return netip.Prefix{}, fmt.Errorf("%v can't be a machine's address", addr)
	}
	bits := 0
	switch {
	case len(mask) == 4:
		ones, size := net.IPMask(mask).Size()
		if size == 0 || ones == 0 {
			return netip.Prefix{}, fmt.Errorf("%v is no subnet mask", net.IP(mask))
		}
		bits = ones
	case mask != nil:
		return netip.Prefix{}, fmt.Errorf("a subnet mask of %d bytes", len(mask))
	default:
		ones, _ := net.IP(addr.AsSlice()).DefaultMask().Size()
		bits = ones
	}
	prefix := netip.PrefixFrom(addr, bits)
	if bits < 31 && (addr == prefix.Masked().Addr() || addr == lastAddr(prefix)) {
		return netip.Prefix{}, fmt.Errorf("%v is its subnet's own or broadcast address", prefix)
	}
	return prefix, nil
}

func lastAddr(prefix netip.Prefix) netip.Addr {
	b := prefix.Masked().Addr().As4()
	host := uint32(math.MaxUint32) >> prefix.Bits()
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(b[:])|host)))
}

// readTimes reads the lease time and T1 and T2, which are from the REQUEST on. Where the latter make no sense, they are those of RFC 2131
// section 4.4.5.
func (l *Lease) readTimes(options dhcpv4.Options) error {
	seconds := func(code dhcpv4.OptionCode) (time.Duration, bool) {
		b := options.Get(code)
		if len(b) != 4 {
			return 0, false
		}
		s := binary.BigEndian.Uint32(b)
		if s == math.MaxUint32 {
			return Forever, true
		}
		return time.Duration(s) * time.Second, true
	}
	lifetime, ok := seconds(dhcpv4.OptionIPAddressLeaseTime)
	switch {
	case !ok:
		return errors.New("it has no lease time (option 51)")
	case lifetime < minLifetime:
		return fmt.Errorf("a lease of %v: those under %v are of no use", lifetime, minLifetime)
	}
	l.Lifetime, l.Renew, l.Rebind = lifetime, Forever, Forever
	if lifetime == Forever {
		return nil
	}
	l.Renew, l.Rebind = lifetime/2, lifetime/8*7
	t1, ok1 := seconds(dhcpv4.OptionRenewTimeValue)
	t2, ok2 := seconds(dhcpv4.OptionRebindingTimeValue)
	switch {
	case ok1 && ok2 && minLifetime/2 <= t1 && t1 < t2 && t2 < lifetime:
		l.Renew, l.Rebind = t1, t2
	case ok1 && !ok2 && minLifetime/2 <= t1 && t1 < l.Rebind:
		l.Renew = t1
	case ok2 && !ok1 && l.Renew < t2 && t2 < lifetime:
		l.Rebind = t2
	}
	return nil
}

// readRoutes reads the classless routes, and only without any the routers (RFC 3442).
func readRoutes(own netip.Prefix, options dhcpv4.Options) []Route {
	var all []Route
	if b := options.Get(dhcpv4.OptionClasslessStaticRoute); b != nil {
		var given dhcpv4.Routes
		if given.FromBytes(b) == nil {
			for _, r := range given {
				ones, _ := r.Dest.Mask.Size()
				to, _ := netip.AddrFromSlice(r.Dest.IP)
				via, _ := netip.AddrFromSlice(r.Router)
				if via.IsUnspecified() {
					via = netip.Addr{} // the destination is on the link
				}
				all = append(all, Route{netip.PrefixFrom(to, ones).Masked(), via})
			}
			return reachable(own, all)
		}
	}
	for _, router := range addrs(options.Get(dhcpv4.OptionRouter)) {
		if isMachine(router) && router != own.Addr() {
			return reachable(own, []Route{{netip.PrefixFrom(netip.IPv4Unspecified(), 0), router}})
		}
	}
	return nil
}

// reachable leaves out routes that make no sense, and puts one over the link before those whose router would be out of reach.
func reachable(own netip.Prefix, given []Route) (all []Route) {
	add := func(r Route) {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	onLink := func(via netip.Addr) bool {
		return own.Contains(via) ||
			slices.ContainsFunc(all, func(r Route) bool { return !r.Via.IsValid() && r.To.Bits() > 0 && r.To.Contains(via) })
	}
	for _, r := range given {
		to := r.To.Addr()
		if to.IsMulticast() || to.IsLoopback() || r.Via.IsValid() && (!isMachine(r.Via) || r.Via == own.Addr()) {
			continue
		}
		if r.Via.IsValid() && !onLink(r.Via) {
			add(Route{To: netip.PrefixFrom(r.Via, 32)})
		}
		add(r)
	}
	return all
}

// addrs is a list of addresses; none if it isn't one.
func addrs(b []byte) (all []netip.Addr) {
	if len(b)%4 != 0 {
		return nil
	}
	for ; len(b) > 0; b = b[4:] {
		all = append(all, netip.AddrFrom4([4]byte(b)))
	}
	return all
}

// domain is a name that can be written to a file, in lower case and without its last dot; "" for anything else. Names come from whoever is
// on the link.
func domain(name string) string {
	name = strings.ToLower(strings.TrimSuffix(strings.TrimRight(name, "\x00"), "."))
	if len(name) > maxHostname {
		return ""
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return ""
		}
	}
	return name
}
