package dnsserver

import (
	"net/netip"
	"time"
)

// Config is everything that the DNS server needs to know. It is immutable once given to the server.
type Config struct {
	Networks  []Network
	CacheSize int64 // bytes, of all upstreams' answers together; 0 means 16 MiB
	Upstreams []UpstreamGroup
	Block     Block
	Rebind    Rebind
	// ServeStale is how long an answer may be used after its time when upstreams don't answer, RFC 8767; 0: not at all.
	ServeStale time.Duration
	Port       uint16 // of the listeners; 0 means 53
	HostName   string // the host's own name, a label: answers with the gateway's address in every network
}

// Network is one network's view: where it listens, who may ask, what it knows.
type Network struct {
	Name    string
	Domain  string       // e.g. lab.internal, without the last dot
	Address netip.Prefix // the gateway: listening address, and the subnet whose reverse names are ours
	// Secondary are further gateways, each as Address is one. Leases have no addresses there.
	Secondary []netip.Prefix
	Clients   []netip.Prefix // prefixes that may ask besides the subnet and the host itself
	Hosts     []Host
	// HostsFiles are absolute paths of files in the format of hosts(5), read again when they change.
	HostsFiles []string
	Records    []Record
	MaxTTL     time.Duration // of names that come from leases; at most the lease's remainder; 0 means 60 s

	LogQueries bool // each question and its answer, at level info
	QueryFile  QueryFile
}

// Host is a fixed name with an address.
type Host struct {
	Name    string // label
	Aliases []string
	Addr    netip.Addr
}

// Record is a static record in presentation format.
type Record struct {
	Name   string        // relative to the network's domain, "@" for the domain itself; absolute with a last dot
	Type   string        // A, AAAA, CNAME, MX, SRV, TXT, …
	Values []string      // one RDATA each, RFC 1035 section 5 presentation format; names without a last dot are relative to the domain
	TTL    time.Duration // 0 means 60 s
}

// UpstreamGroup is a set of servers for some domains. Exactly one group has no domains: the default.
type UpstreamGroup struct {
	Name    string
	Domains []string
	Servers []netip.AddrPort
	// Follow names a resolv.conf that is read, and followed as it changes, in place of Servers.
	Follow string
}

// LeaseNames tells the names that leases hold now; asked at query time. Implementations: *leases.Table, and a map in tests.
type LeaseNames interface {
	// AddrOf returns the address of the client that holds name (a lower case label, which is not kept) in network, and for how
	// long at most.
	AddrOf(network string, name []byte, now time.Time) (addr netip.Addr, remaining time.Duration, ok bool)
	// NameOf returns the name that the client at addr holds in network.
	NameOf(network string, addr netip.Addr, now time.Time) (name string, remaining time.Duration, ok bool)
}
