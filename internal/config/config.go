package config

import (
	"net/netip"
	"time"
)

// Config is a whole configuration, validated and with every default filled in.
type Config struct {
	Daemon   Daemon
	Networks []Network // in the order of the file
	Resolver Resolver
	Hooks    []Hook // in the order of the file
	API      API
	Metrics  Metrics
}

// Daemon is where the daemon keeps things, how long, and how it logs.
type Daemon struct {
	StateDir  string
	RunDir    string
	LogLevel  string // debug, info, warn, error
	LogFormat string // auto, text, json, journal

	LeaseHistory time.Duration // for how long it is kept; 0: not at all
}

// Network is one network block.
type Network struct {
	Name    string       // a DNS label, lower case
	Mode    string       // routed, isolated, bridged
	Address netip.Prefix // the host's address on the bridge; invalid where a bridged network inherits the uplink's, or leases one
	// Secondary is further addresses of the host, each with a subnet of its own, which DHCP leases nothing of.
	Secondary []netip.Prefix
	Routes    []Route // its own, then those of the top level

	Bridge  Bridge
	Uplink  Uplink
	DHCP    DHCP
	DNS     DNS
	Bridged Bridged
	Hosts   []Host
	TAPs    []TAP

	HostAccess string   // all, services
	AllowFrom  []string // names of other networks

	Range Range // where the block stands, for messages that only the host can give

	Publishes []Publish // its own, then those of the top level
}

// Range is a place in a file.
type Range struct {
	File string
	Line int
}

// Bridge is the network's bridge.
type Bridge struct {
	Name   string
	MTU    int
	Attach []string // interface names and patterns of path.Match
	Guard  string   // subnet, strict, off

	IsolateGuests bool
	Adopt         bool
}

// Uplink is the way out.
type Uplink struct {
	Interface  string // "auto" follows the default route; "" in an isolated network, which has none
	Masquerade bool
}

// DHCP is the network's DHCP service.
type DHCP struct {
	Enabled        bool
	LeaseTime      time.Duration // Infinite for "infinite"
	Identity       string        // auto, client_id, mac
	Authoritative  bool
	ConflictProbe  bool
	UnknownClients string      // serve, deny
	Ranges         []AddrRange // disjoint, in order, without the gateway; none if not enabled
	RapidCommit    bool
	Relays         []netip.Addr // none: any host of the subnet
	Boot           Boot
	Options        []Option
	Classes        []Class // in the order of the file
}

// Boot is what clients boot; each may be absent.
type Boot struct {
	File       string
	NextServer netip.Addr
	ServerName string
}

// Class is a kind of clients. What is given of the conditions must hold, of a list one; at least one is given.
type Class struct {
	Name          string
	VendorClasses []string // exact, or beginnings if they end in "*"
	UserClasses   []string // likewise
	Architectures []uint16
	MACPrefixes   []string      // raw bytes, one to six
	LeaseTime     time.Duration // 0: the network's
	Boot          Boot
	Options       []Option
}

// Infinite is the lease time "infinite".
const Infinite time.Duration = 1<<63 - 1

// AddrRange is inclusive.
type AddrRange struct{ Start, End netip.Addr }

// Option is a DHCP option encoded for the wire.
type Option struct {
	Name   string
	Code   uint8
	Data   []byte // any length over 0; a long one is split on the wire (RFC 3396)
	Always bool   // also to clients that don't ask for it
}

// DNS is the network's DNS service.
type DNS struct {
	Enabled      bool
	Domain       string // lower case, without the last dot; never empty
	NameConflict string // first_wins, suffix, reject
	Clients      []netip.Prefix
	QueryLog     bool
	QueryFile    QueryFile
	HostsFiles   []string // absolute paths, each once
	Records      []Record
}

// Record is a static record.
type Record struct {
	Name   string   // relative to the domain, "@" for itself; absolute with a last dot, then in the domain or the subnet's reverse zone
	Type   string   // upper case
	Values []string // RDATA in presentation format, all names absolute
	TTL    time.Duration
}

// Host is a reservation and a name.
type Host struct {
	Name      string     // a DNS label, lower case, as all names here
	MAC       string     // raw bytes; at most one of MAC, ClientID and Hostname is set
	ClientID  string     // raw bytes
	Hostname  string     // what the client calls itself
	Address   netip.Addr // invalid: any of the ranges
	Aliases   []string
	LeaseTime time.Duration // 0: the network's
	Boot      Boot
	Options   []Option
}

// Resolver is what all networks' DNS shares.
type Resolver struct {
	CacheSize   int64         // bytes
	ServeStale  time.Duration // 0: never
	Upstreams   []Upstream    // none without domains: the host's own resolvers, followed
	Block       Block
	Rebind      string   // own, private or off
	RebindAllow []string // as Domains of an upstream
}

// Block is the names that are not answered.
type Block struct {
	Files  []string // absolute paths, each once; none: nothing is blocked
	Allow  []string // as Domains of an upstream
	Answer string   // nxdomain or null; "" without a block
}

// Upstream is a group of servers.
type Upstream struct {
	Name    string
	Domains []string // lower case, without the last dot; none: every domain, one such upstream at most
	Servers []netip.AddrPort
}
