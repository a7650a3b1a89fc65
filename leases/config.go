package leases

import "net/netip"

// Config is every network whose addresses a Table gives out.
type Config struct {
	Networks []Network
}

// Network is one pool of addresses.
type Network struct {
	Name          string
	Subnet        netip.Prefix // IPv4, masked
	Gateway       netip.Addr   // the host's own address: never given out
	Ranges        []Range      // disjoint; within Subnet; empty: reservations only
	Reservations  []Reservation
	NameConflict  NameConflict
	ReservedNames []string // labels that no client may take (gateway, the host's name, static records, …), lower case
}

// Range is an inclusive range of addresses.
type Range struct {
	Start, End netip.Addr
}

// Reservation gives a client its address and its name. One of HWAddr, ID and Hostname is set, or none of them:
// then it only keeps the address and the name from everyone else. Where several reservations match a client, the one by
// ID comes before the one by HWAddr, and that before the one by Hostname.
type Reservation struct {
	Name     string // DNS label
	Aliases  []string
	HWAddr   HWAddr
	ID       ClientID
	Hostname string     // matches the name the client sends (lower case)
	Addr     netip.Addr // may lie outside Ranges; invalid: any address of the pool
}

// NameConflict says what happens when a client asks for a name that another one holds.
type NameConflict uint8

// First wins: the later client gets no name. Suffix: it gets name-2. Reject: it gets no name, and a warning is logged.
const (
	FirstWins NameConflict = iota
	Suffix
	Reject
)
