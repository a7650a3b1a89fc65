package leases

import (
	"net/netip"
	"time"
)

// HWAddr is a hardware address as raw bytes in a string, so that leases stay comparable and immutable.
type HWAddr string

// ClientID identifies a client within a network (RFC 2131 section 2, RFC 4361): opaque bytes.
// Make one by ClientIDFromOption or ClientIDFromHardware; the two never collide.
type ClientID string

// State says what a lease is at the moment.
type State uint8

// The states of a lease. Offered leases exist in RAM only.
const (
	Offered State = iota + 1
	Bound
	Declined
	Released
	Expired
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

// Lease is who has an address. It is a value and never changes once published.
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
	RequestedName string
	VendorClass   string
	Reserved      bool // the address comes from a reservation
}
