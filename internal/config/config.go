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
}

// Daemon is where the daemon keeps things and how it logs.
type Daemon struct {
	StateDir  string
	RunDir    string
	LogLevel  string // debug, info, warn, error
	LogFormat string // auto, text, json, journal
}

// Network is one network block.
type Network struct {
	Name    string
	Mode    string       // routed
	Address netip.Prefix // the host's address on the bridge
	Bridge  Bridge
	Uplink  Uplink
	DHCP    DHCP
	DNS     DNS
	Hosts   []Host
	Range   Range // where the block stands, for messages that only the host can give
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
	Attach []string
	Guard  string // subnet, off
}

// Uplink is the way out.
type Uplink struct {
	Interface  string // "auto" follows the default route
	Masquerade bool
}

// DHCP is the network's DHCP service.
type DHCP struct {
	Enabled        bool
	LeaseTime      time.Duration // Infinite for "infinite"
	Identity       string        // auto, client_id, mac
	Authoritative  bool
	UnknownClients string // serve, deny
	Ranges         []AddrRange
	Options        []Option
}

// Infinite is the lease time "infinite".
const Infinite time.Duration = 1<<63 - 1

// AddrRange is inclusive.
type AddrRange struct{ Start, End netip.Addr }

// Option is a DHCP option encoded for the wire.
type Option struct {
	Name   string
	Code   uint8
	Data   []byte
	Always bool
}

// DNS is the network's DNS service.
type DNS struct {
	Enabled      bool
	Domain       string
	NameConflict string // first_wins, suffix, reject
	Clients      []netip.Prefix
	Records      []Record
}

// Record is a static record.
type Record struct {
	Name   string
	Type   string
	Values []string
	TTL    time.Duration
}

// Host is a reservation and a name.
type Host struct {
	Name      string
	MAC       string // raw bytes
	ClientID  string // raw bytes
	Hostname  string
	Address   netip.Addr
	Aliases   []string
	LeaseTime time.Duration // 0: the network's
	Options   []Option
}

// Resolver is what all networks' DNS shares.
type Resolver struct {
	CacheSize int64
	Upstreams []Upstream // none without domains: the host's own resolvers, followed
}

// Upstream is a group of servers.
type Upstream struct {
	Name    string
	Domains []string
	Servers []netip.AddrPort
}
