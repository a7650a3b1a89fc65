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
	RapidCommit   bool           // a DISCOVER with option 80 is acknowledged at once (RFC 4039)
	Relays        []netip.Addr   // the only relays that are heard, on the subnet or not; none: any host of the subnet
	ConflictProbe bool           // ask by ARP who uses an address before it is given to a new client (RFC 2131 section 2.2)
	Domain        string         // where leases have their names in DNS, for option 81; "" where they have none
	Boot          Boot
	Options       []Option // sent to everyone; of two with one code the later counts
	Classes       []Class  // at most 64
	Hosts         []HostOptions
}

// Option is an option ready for the wire. The server makes the options of the protocol itself: 1 (from Address), 51, 52,
// 53, 54, 56, 58, 59, 61, 80, 81, 82 and 118; these, and what only clients send (50, 55, 57), are refused in a Config. Every other
// one, routers and name servers too, is sent only if it is configured: if the client's parameter request list names it,
// in the order of that list, or if it is to be sent always, or if the client sends no such list. One without data is not
// sent; so a host can do without one of the network's. To classless routes (121) without a default route one by the first
// router (3) is added (RFC 3442), and clients that ask for 249 get them there.
type Option struct {
	Code   uint8
	Data   []byte // any length: long ones are split (RFC 3396)
	Always bool   // also when the client's parameter request list doesn't name it
}

// Boot is what a client boots and from where. It fills in the header's fields siaddr, file and sname, and options 66 and 67.
type Boot struct {
	File       string     // path or URL, at most 255 bytes; "": not given here
	NextServer netip.Addr // invalid: not given here; if nowhere, with a File, our own address
	ServerName string     // at most 255 bytes; "": not given here, and none if NextServer is
}

// Class is a kind of clients, and what they get. Of a client's classes each later one overrides the earlier ones and all the
// network; its host overrides them.
//
// A client is of the class if every condition that is given holds, and at least one must be given; a list holds if one of
// it does. Texts are exact, or beginnings if they end in "*".
type Class struct {
	Name          string
	VendorClasses []string // of option 60
	UserClasses   []string // of option 77
	Architectures []uint16 // of option 93, as IANA numbers them
	MACPrefixes   []string // 1 to 6 bytes

	LeaseTime time.Duration // 0: the network's
	Boot      Boot
	Options   []Option
}

// HostOptions are the options of one reservation; they override the network's and those of its classes.
type HostOptions struct {
	Host      string        // the reservation's name
	LeaseTime time.Duration // 0: the network's
	Boot      Boot
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
