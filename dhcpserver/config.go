package dhcpserver

import (
	"net/netip"
	"time"
)

// Config is what one served link needs to know.
type Config struct {
	Network       string         // the network's name in the lease table
	Interface     string         // the link, e.g. br0
	Address       netip.Prefix   // the host's address on the link with the subnet's length: server identifier, source of replies
	LeaseTime     time.Duration  // leases.Infinite for ever
	Authoritative bool           // NAK what we don't know, as the only server of the link does
	Identity      IdentityPolicy // how a client is told from another
	MTU           int            // the link's, at least 576; bounds a reply; 0: 1500
	UnknownDenied bool           // serve only clients that have a reservation
	ConflictProbe bool           // ask by ARP who uses an address before it is given to a new client (RFC 2131 section 2.2)
	Options       []Option       // sent to everyone; of two with one code the later counts
	Hosts         []HostOptions
}

// Option is an option ready for the wire. The server makes the options of the protocol itself: 1 (from Address), 51, 52,
// 53, 54, 56, 58, 59, 61 and 82; these, and what only clients send (50, 55, 57), are refused in a Config. Every other
// one, routers and name servers too, is sent only if it is configured: if the client's parameter request list names it,
// in the order of that list, or if it is to be sent always, or if the client sends no such list. One without data is not
// sent; so a host can do without one of the network's.
type Option struct {
	Code   uint8
	Data   []byte // any length: long ones are split (RFC 3396)
	Always bool   // also when the client's parameter request list doesn't name it
}

// HostOptions are the options of one reservation; they override the network's.
type HostOptions struct {
	Host      string        // the reservation's name
	LeaseTime time.Duration // 0: the network's
	Options   []Option
}

// IdentityPolicy says what identifies a client.
type IdentityPolicy uint8

// The policies: by client identifier with the detection of cloned ones, by client identifier, by hardware address.
const (
	IdentityAuto IdentityPolicy = iota
	IdentityClientID
	IdentityMAC
)
