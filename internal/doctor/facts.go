package doctor

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"labnet/internal/control"
)

// Network is a network as far as it is looked at, by the configuration or, where that doesn't load, by what the daemon serves.
type Network struct {
	Name, Bridge, Domain string
	Address              netip.Prefix // the gateway's
	Secondary            []netip.Prefix
	Behind               []netip.Prefix // subnets that lie behind guests
	Uplink               string         // "" follows the default route
	Masquerade           bool
	DHCP, DNS            bool
	Attach               []string
	Hosts                []Host

	Mode      string   // routed, isolated, bridged
	Isolate   bool     // its guests don't reach each other
	Adopt     bool     // the bridge is someone else's
	Services  bool     // of the host, guests reach DHCP, DNS and ping alone
	AllowFrom []string // networks whose guests may come in
	Strict    bool     // each guest sends from its own address alone
	Published []Published
}

const (
	isolated = "isolated"
	bridged  = "bridged"
)

// contains reports whether an address is of one of the network's subnets.
func (n Network) contains(a netip.Addr) bool {
	return n.Address.Contains(a) || slices.ContainsFunc(n.Secondary, func(p netip.Prefix) bool { return p.Contains(a) })
}

// routed reports whether the host is the network's gateway, with a way out or without.
func (n Network) routed() bool { return n.Mode != bridged }

// Host is a reservation of the configuration.
type Host struct {
	Name    string
	MAC     net.HardwareAddr // nil if it is known otherwise
	Address netip.Addr       // invalid: any
}

// facts is what was found of the host and its networks.
type facts struct {
	configError string // why the configuration doesn't load, "" if it does
	networks    []Network
	status      *control.Status // nil if no daemon tells
	statusErr   error
	changes     []control.Change // that `labnet run` would make
	problems    []control.Problem
	notes       []control.Note
	planErr     error // why these aren't known
	root        bool  // this process is root's
	kernel      kernel
	ways        map[string]way // by network
	local       map[string]reply
	outside     map[string]reply
	upstreams   []upstream
	moved       map[string]uint64 // our counters, by how much they grew meanwhile
	totals      map[string]uint64 // our counters, since the rules were made
	leases      []control.Lease
	leasesErr   error           // why leases aren't known
	calls       map[string]call // by network and published port
	strays      map[string][]stray
	unheard     map[string]int // ports of a network that weren't listened to, since there are too many
	name        string         // that the outside was asked for
}

// link is an interface.
type link struct {
	index, master int
	name, kind    string
	mac           net.HardwareAddr
	up, carrier   bool
	noARP         bool
	addresses     []netip.Prefix // IPv4
	state         byte           // of a bridge's port, BR_STATE_FORWARDING is 3
	apart         bool           // a port that is isolated from other such
}

// station is a machine that a bridge has heard of behind a port.
type station struct {
	mac  net.HardwareAddr
	port int // index
}

// neighbour is who has an address, as the kernel believes.
type neighbour struct {
	link int
	addr netip.Addr
	mac  net.HardwareAddr
}

// kernel is what the kernel says.
type kernel struct {
	links      []link
	stations   []station
	neighbours []neighbour
}

func (k *kernel) link(name string) (link, bool) {
	for _, l := range k.links {
		if l.name == name {
			return l, true
		}
	}
	return link{}, false
}

func (k *kernel) byIndex(index int) (link, bool) {
	for _, l := range k.links {
		if l.index == index {
			return l, true
		}
	}
	return link{}, false
}

// ports are the links on a bridge.
func (k *kernel) ports(bridge link) (list []link) {
	for _, l := range k.links {
		if l.master == bridge.index && bridge.index != 0 {
			list = append(list, l)
		}
	}
	return list
}

// port is the link behind which a machine was heard.
func (k *kernel) port(mac net.HardwareAddr) (link, bool) {
	for _, s := range k.stations {
		if s.mac.String() == mac.String() {
			return k.byIndex(s.port)
		}
	}
	return link{}, false
}

// way is how packets leave for the outside.
type way struct {
	err     error // there is none
	out     link
	gateway netip.Addr // invalid: none, the other end is the whole link
	source  netip.Addr // the host's address there
	answers bool       // the gateway, to ARP
	unasked bool       // it wasn't asked: no privilege, or no ARP there
}

// reply is what a DNS server said.
type reply struct {
	rcode   string
	answers []netip.Addr
	took    time.Duration
	err     error
}

// upstream is a DNS server that is asked for the outside.
type upstream struct {
	group  string
	server netip.AddrPort
	name   string // that it was asked for
	kind   uint16 // and the type
	reply  reply
}
