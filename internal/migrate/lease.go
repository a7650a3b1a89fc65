package migrate

import (
	"errors"
	"net/netip"
	"time"
)

// Lease is one lease as a file has it. Texts are as the client sent them, any bytes.
type Lease struct {
	File string // as Read was told, and the line where the lease stands, from 1 on
	Line int

	Addr        netip.Addr // IPv4
	HWType      uint8      // ARP hardware type: 1 is Ethernet
	HWAddr      string     // raw bytes, at most 16; "" for none
	ClientID    string     // the value of option 61, raw; "" if the client sent none
	Name        string     // the name that the server kept for it; "" for none
	Hostname    string     // what the client called itself
	VendorClass string     // option 60, where the file tells
	State       State
	Foreign     bool      // Declined: HWAddr is a machine's that used the address without asking for it
	Start       time.Time // zero: not told
	Seen        time.Time // last message of the client; zero: not told
	Expiry      time.Time // zero: never
}

// State says what a lease is. An Active one may have passed its Expiry: files aren't written when that happens.
type State uint8

// The states of a lease in a file.
const (
	Active   State = iota + 1
	Released       // given back; Expiry is when
	Expired        // its time ran out
	Declined       // found in use by somebody else
	Removed        // the file says that nothing is known of the address any more
)

// Problem is something in a file that is no lease, or half of one.
type Problem struct {
	File   string
	Line   int
	Addr   string // as far as it was read
	Reason string
}

// Sink takes what Read finds, in the order of the file.
type Sink struct {
	Lease   func(Lease)
	Problem func(Problem)
	Skipped func() // something that isn't meant for us, such as a lease of DHCPv6
}

// Format is the name of a kind of file.
type Format string

// The formats.
const (
	Auto    Format = "auto" // by what the file holds
	Dnsmasq Format = "dnsmasq"
	Kea     Format = "kea"
	ISC     Format = "isc"
	Libvirt Format = "libvirt"
	JSON    Format = "json" // labnet's own
)

// Formats are those that files have.
var Formats = []Format{Dnsmasq, Kea, ISC, Libvirt, JSON}

// Bounds of what a file may claim. No lease lasts longer than 2^32-1 seconds unless it never ends (RFC 2131 section 3.3); what lies
// beyond these years no server has written.
const (
	maxLine  = 1 << 20 // bytes, also of an entry of a list
	maxHW    = 16      // RFC 2131 section 2: chaddr
	infinite = 1<<32 - 1
)

var (
	firstTime = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	lastTime  = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
)

var errTime = errors.New("is no time that a server can have written")

// unix is a time in seconds since 1970, as far as a server can have written it.
func unix(sec int64) (time.Time, error) {
	if sec < firstTime || sec > lastTime {
		return time.Time{}, errTime
	}
	return time.Unix(sec, 0).UTC(), nil
}
