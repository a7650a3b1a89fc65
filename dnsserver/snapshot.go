package dnsserver

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// snapshot is a whole configuration, compiled: immutable, so that a query works with one from beginning to end.
type snapshot struct {
	views     map[netip.AddrPort]*view // by listening address
	gateways  map[netip.Addr]bool
	zones     map[name]*zone
	overrides *zone // absolute names outside all local zones
	wildcards bool  // there are some among these
	special   map[name]special
	above     map[name]bool // names that local zones stand below
	hosts     hosts         // the hosts files of all networks
	groups    map[name]*group
	fallback  *group // for every other name; nil without a default group
	block     blocking
	rebind    rebinding
	staleFor  time.Duration

	generation uint32 // differs from that of every other snapshot of the server
}

// view is what the clients of one network see.
type view struct {
	network string
	domain  name
	zone    *zone
	subnet  netip.Prefix
	others  []netip.Prefix // the network's other subnets
	clients []netip.Prefix
	logged  bool         // each of its questions
	queries *slog.Logger // where; nil: in the log
	first   bool         // at the network's first address
}

// defaultPort is where DNS is, RFC 1035 section 4.2.
const defaultPort = 53

// listen is where the network's first address is listened on.
func (c *Config) listen(n *Network) netip.AddrPort { return c.listenAt(n.Address) }

func (c *Config) listenAt(address netip.Prefix) netip.AddrPort {
	return netip.AddrPortFrom(address.Addr().Unmap(), cmp.Or(c.Port, defaultPort))
}

// Check tells what is wrong with the names of a configuration, as Listen would. It touches nothing.
func Check(cfg Config) error {
	_, err := compile(&cfg, nil, time.Now())
	_, blockErr := newBlocking(&cfg.Block, nil)
	return errors.Join(err, blockErr)
}

// compile checks a configuration and builds its snapshot, without groups of upstreams. All errors are returned together.
func compile(cfg *Config, names LeaseNames, now time.Time) (*snapshot, error) {
	serial := uint32(now.Unix())
	snap := &snapshot{
		views: map[netip.AddrPort]*view{}, gateways: map[netip.Addr]bool{}, zones: map[name]*zone{},
		overrides: newZone(root, root, serial), special: specials(serial), above: map[name]bool{},
		staleFor: cfg.ServeStale,
	}
	delete(snap.overrides.nodes, root)
	var errs []error
	var err error
	if snap.rebind, err = newRebinding(cfg); err != nil {
		errs = append(errs, err)
	}
	for i := range cfg.Networks {
		n := &cfg.Networks[i]
		if err := snap.addNetwork(cfg, n, names, serial); err != nil {
			errs = append(errs, fmt.Errorf("network %s: %w", n.Name, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	// Records after all zones are there: an absolute name may lie in another network's.
	for i := range cfg.Networks {
		n := &cfg.Networks[i]
		if err := snap.addNames(cfg, n); err != nil {
			errs = append(errs, fmt.Errorf("network %s: %w", n.Name, err))
		}
	}
	for n := range snap.overrides.nodes {
		snap.wildcards = snap.wildcards || n != root && n.label() == "*"
	}
	for origin := range snap.zones {
		for origin != root {
			origin = origin.parent()
			snap.above[origin] = true
			if z := snap.zones[origin]; z != nil {
				z.cut = true
			}
		}
	}
	return snap, errors.Join(errs...)
}

func (snap *snapshot) addNetwork(cfg *Config, n *Network, names LeaseNames, serial uint32) error {
	domain, err := parseName(n.Domain)
	switch {
	case err != nil:
		return fmt.Errorf("domain: %w", err)
	case domain == root:
		return errors.New("the domain is the root")
	case domain.under(arpa4) || domain.under(arpa6):
		return fmt.Errorf("the domain %s is for reverse names, which come by themselves", domain)
	case snap.zones[domain] != nil:
		return fmt.Errorf("another network has the domain %s", domain)
	}
	if err := snap.freeAddresses(cfg, n); err != nil {
		return err
	}
	server, err := serverName(cfg, domain)
	if err != nil {
		return err
	}
	maxTTL := leaseTTL
	if n.MaxTTL > 0 {
		maxTTL = n.MaxTTL
	}
	leases := &leaseView{network: n.Name, domain: domain, names: names, maxTTL: maxTTL}
	forward := newZone(domain, server, serial)
	forward.leases = leases
	snap.zones[domain] = forward
	for i, address := range n.addresses() {
		at := cfg.listenAt(address)
		snap.gateways[at.Addr()] = true
		v := &view{
			network: n.Name, domain: domain, zone: forward, subnet: address.Masked(), clients: slices.Clone(n.Clients), logged: n.LogQueries, first: i == 0,
		}
		for _, other := range n.addresses() {
			if other != address {
				v.others = append(v.others, other.Masked())
			}
		}
		snap.views[at] = v
		for _, origin := range reverseOrigins(v.subnet) {
			at := reverseOrigin(origin)
			reverse := snap.zones[at]
			if reverse == nil {
				reverse = newZone(at, server, serial)
				snap.zones[at] = reverse
			}
			reverse.ranges = append(reverse.ranges, reverseRange{v.subnet, leases})
			reverse.whole = reverse.whole || v.subnet.Bits() <= origin.Bits()
		}
	}
	return nil
}

// addresses are where a network is listened on, the gateway's first.
func (n *Network) addresses() []netip.Prefix {
	return slices.Concat([]netip.Prefix{n.Address}, n.Secondary)
}

// freeAddresses says which of a network's addresses can't be listened on.
func (snap *snapshot) freeAddresses(cfg *Config, n *Network) error {
	for _, address := range n.addresses() {
		if !address.IsValid() || address.Addr().IsUnspecified() || address.Addr().IsMulticast() {
			return fmt.Errorf("%s is not an address to listen on", address)
		}
		if other := snap.views[cfg.listenAt(address)]; other != nil {
			return fmt.Errorf("%s is the address of network %s too", address.Addr(), other.network)
		}
	}
	return nil
}

// serverName is the gateway's first name in a domain.
func serverName(cfg *Config, domain name) (name, error) {
	label := "gateway"
	if cfg.HostName != "" {
		var err error
		if label, err = parseLabel(cfg.HostName); err != nil {
			return "", fmt.Errorf("the host's name: %w", err)
		}
	}
	full, ok := domain.child(label)
	if !ok {
		return "", fmt.Errorf("the domain %s is too long", domain)
	}
	return full, nil
}

func (snap *snapshot) addNames(cfg *Config, n *Network) error {
	v := snap.views[cfg.listen(n)]
	var errs []error
	for i := range n.Hosts {
		if err := snap.addHost(v, &n.Hosts[i]); err != nil {
			errs = append(errs, err)
		}
	}
	for i := range n.Records {
		owner, records, err := n.Records[i].parse(v.domain)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		z := snap.zoneOf(owner)
		if z == nil {
			z = snap.overrides
		}
		for _, rr := range records {
			z.add(owner, rr, localRecord)
		}
		if z.nodes[owner].conflict() {
			errs = append(errs, conflictError(owner))
		}
	}
	snap.addGateway(cfg, v, n.addresses())
	return errors.Join(errs...)
}

// conflict tells a CNAME beside other data.
func (n node) conflict() bool {
	set, ok := n[dns.TypeCNAME]
	return ok && (len(n) > 1 || len(set.records) > 1)
}

func conflictError(n name) error {
	return fmt.Errorf("%s has a CNAME and other records, or two: RFC 1034 section 3.6.2 allows one CNAME or the others", n)
}

// addressed tells that the configuration already says which address, or which name, a node leads to.
func (n node) addressed() bool {
	for _, t := range addressTypes {
		if _, ok := n[t]; ok {
			return true
		}
	}
	return false
}

func (snap *snapshot) addHost(v *view, h *Host) error {
	if !h.Addr.IsValid() {
		return fmt.Errorf("host %s has no address", h.Name)
	}
	addr := h.Addr.Unmap().WithZone("")
	for i, s := range slices.Concat([]string{h.Name}, h.Aliases) {
		label, err := parseLabel(s)
		if err != nil {
			return fmt.Errorf("host %s: %w", h.Name, err)
		}
		full, ok := v.domain.child(label)
		if !ok {
			return fmt.Errorf("host %s: %s.%s is longer than 255 bytes", h.Name, s, v.domain)
		}
		v.zone.add(full, addressRecord(full, addr, hostTTL), localHost)
		if v.zone.nodes[full].conflict() {
			return conflictError(full)
		}
		if reverse := reverseName(addr); i == 0 {
			// An address outside every network keeps the name that the outside gives it.
			if z := snap.zoneOf(reverse); z != nil && z.owns(reverse) {
				z.add(reverse, pointer(reverse, full, hostTTL), localHost)
			}
		}
	}
	return nil
}

// addGateway gives the gateway its names. What the configuration says about one of them goes first.
func (snap *snapshot) addGateway(cfg *Config, v *view, addresses []netip.Prefix) {
	addr := addresses[0].Addr().Unmap()
	var named name
	for _, s := range []string{cfg.HostName, "gateway"} {
		label, err := parseLabel(s)
		if err != nil {
			continue
		}
		full, ok := v.domain.child(label)
		if !ok || v.zone.nodes[full].addressed() {
			continue
		}
		v.zone.add(full, addressRecord(full, addr, hostTTL), localGateway)
		named = cmp.Or(named, full)
	}
	for _, a := range addresses {
		reverse := reverseName(a.Addr())
		if z := snap.zoneOf(reverse); z != nil && named != "" && !z.nodes[reverse].addressed() {
			z.add(reverse, pointer(reverse, named, hostTTL), localGateway)
		}
	}
}

// zoneOf returns the most specific local zone of a name, or nil.
func (snap *snapshot) zoneOf(n name) *zone {
	for ; ; n = n.parent() {
		if z := snap.zones[n]; z != nil {
			return z
		}
		if n == root {
			return nil
		}
	}
}

// admission is by what a client may ask in a view.
type admission uint8

const (
	refused    admission = iota // it may not
	ofSubnet                    // its address is the network's
	ofHost                      // it is the host itself
	configured                  // its prefix is one of those that the configuration names
)

// admission tells whether a client may ask in a view: from its subnet, as configured, or the host itself.
func (snap *snapshot) admission(v *view, client netip.Addr) admission {
	client = client.Unmap().WithZone("")
	switch {
	case v.subnetOf(client).IsValid():
		return ofSubnet
	case client.IsLoopback() || snap.gateways[client]:
		return ofHost
	case slices.ContainsFunc(v.clients, func(p netip.Prefix) bool { return p.Contains(client) }):
		return configured
	}
	return refused
}

// subnetOf returns the subnet of the network that a client is in, an invalid one if none.
func (v *view) subnetOf(client netip.Addr) netip.Prefix {
	if v.subnet.Contains(client) {
		return v.subnet
	}
	for _, p := range v.others {
		if p.Contains(client) {
			return p
		}
	}
	return netip.Prefix{}
}

func (snap *snapshot) admits(v *view, client netip.Addr) bool {
	return snap.admission(v, client) != refused
}

// shortcut tells whether nothing but the configuration decides that a question about n goes to the upstreams, and what they say is the
// answer: no lease, and no network that the client is in.
func (snap *snapshot) shortcut(n name) bool {
	return !n.single() && snap.zoneOf(n) == nil && !snap.above[n] && !snap.hosts.above(n)
}
