package dhcpserver

import (
	"net/netip"
	"time"

	"labnet/internal/tracer"
	"labnet/leases"
)

// Event is a message and what became of it. What a client sent may be any bytes.
type Event struct {
	Time      time.Time // when the message was received
	Network   string
	Interface string

	Message   string         // DISCOVER, REQUEST, DECLINE, RELEASE, INFORM, or a server's OFFER, ACK, NAK; "" where nothing tells
	State     string         // of a REQUEST, by RFC 2131 section 4.3.2: selecting, init-reboot, renew or rebind
	From      netip.AddrPort // the datagram's source
	Broadcast bool
	HWAddr    leases.HWAddr
	ClientID  string     // option 61
	Relay     netip.Addr // giaddr; this and the next two are invalid where the message has none
	Ciaddr    netip.Addr // the address that the client uses
	Requested netip.Addr // option 50
	Xid       uint32
	Hostname  string // the name that it asks for, by option 81 or 12
	Vendor    string // option 60

	Reply  string         // OFFER, ACK or NAK; "" for none
	To     netip.AddrPort // where the reply went
	Addr   netip.Addr     // what is given, refused, declined or released; may be invalid
	Name   string         // the DNS label that goes with the lease
	Reason Reason
	Beside []Reason      // what happened beside the decision: malformed_served, options_dropped, clone_detected
	Took   time.Duration // from receiving the message to having sent the reply, the commit included
	Err    string        // what went wrong, "" for nothing
}

// Tracer hands events to whoever watches. Several servers may share one.
type Tracer = tracer.Tracer[Event]

// Subscription is one reader of a Tracer.
type Subscription = tracer.Subscription[Event]
