package leases

import (
	"net/netip"
	"time"
)

// State says what a lease is at the moment.
type State uint8

// The states of a lease. Offered leases exist in RAM only.
const (
	Offered  State = iota + 1
	Bound          // the client may use the address until Expiry
	Declined       // its client found the address in use: it rests until Expiry
	Released       // given back before its time; Expiry is when
	Expired        // its time, or the rest after a decline, ran out
)

// Infinite is the lease time that never ends (RFC 2131 section 3.3: 0xffffffff seconds on the wire).
const Infinite time.Duration = 1<<63 - 1

// Client is what a message says of the client that sent it.
type Client struct {
	ID            ClientID
	HWType        uint8 // ARP hardware type, 1 is Ethernet
	HWAddr        HWAddr
	RequestedName string // option 12 or 81 as it came, any bytes
	VendorClass   string // option 60 as it came, any bytes
}

// Lease is who has an address. It is a value and never changes once published. Times are whole seconds in UTC: Start and
// LastSeen are rounded down, Expiry up, so that a stored lease reads back as it was.
type Lease struct {
	Network       string
	Addr          netip.Addr
	ID            ClientID
	HWType        uint8
	HWAddr        HWAddr
	Name          string // the DNS label that it holds, "" for none
	State         State
	Start         time.Time
	Expiry        time.Time // zero: never
	LastSeen      time.Time
	RequestedName string // at most 255 bytes of it
	VendorClass   string // at most 255 bytes of it
	Reserved      bool   // the address comes from a reservation
}
