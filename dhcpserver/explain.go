package dhcpserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"labnet/leases"
)

// Query is a client as it would ask, with as much of its message as matters. What is empty is not sent. It sends no parameter
// request list, so that all options are shown.
type Query struct {
	HWAddr    leases.HWAddr // an Ethernet address
	ClientID  []byte        // option 61, 2 to 255 bytes
	Hostname  string        // option 12
	Vendor    string        // option 60
	UserClass string        // option 77
	Arch      int           // option 93 (RFC 4578), or -1
	Requested netip.Addr    // option 50
}

// Explanation is what a server would answer a client now, and why.
type Explanation struct {
	Network  string
	Client   leases.Client // as the server knows it
	Identity Identity
	Classes  []string // that it is of, in the order of the configuration

	Discover Foretold // the answer to a DISCOVER
	// Reboot is the answer to a client that restarts with an address (RFC 2131 section 4.3.2, INIT-REBOOT): the one it
	// requests, else the one that it holds, was offered or had. Without any of these its Reason is "".
	Reboot Foretold

	Leases leases.Explanation
}

// Identity says what tells a client from others.
type Identity string

// The identities. A clone sends an identifier that another active client has: it is told from that by its MAC too.
const (
	IdentifiedByClientID Identity = "client_id"
	IdentifiedByMAC      Identity = "mac"
	IdentifiedAsClone    Identity = "client_id and mac"
)

// Foretold is an answer that wasn't given.
type Foretold struct {
	Reply     string // OFFER, ACK or NAK; "" for none
	Reason    Reason
	Addr      netip.Addr // what is offered, confirmed or refused; may be invalid
	Name      string     // the DNS label that an offered lease would have
	LeaseTime time.Duration
	Options   []Option // of an OFFER or ACK as they would be sent, in this order
	Origins   []string // of Options: "network", "class NAME", "host NAME", "" where the server makes it itself
	// UsedBy is another machine that answers ARP for an offered address: the address will rest, and another be offered.
	UsedBy leases.HWAddr
	// The fields of the header for booting; empty where they aren't set.
	NextServer netip.Addr
	ServerName string
	BootFile   string
	Err        string // what fails, "" for nothing
}

// ErrQuery says that nothing can be foretold.
var ErrQuery = errors.New("no such client can ask")

// Explain returns what the client of q would get now, found by the code that serves it, and changes nothing. It may be called by
// any goroutine. A query that can't be a message is an error.
func (s *Server) Explain(q Query, now time.Time) (Explanation, error) {
	settings := s.settings.Load()
	e, err := explain(settings, s.table, q, now)
	if err == nil && settings.cfg.ConflictProbe && e.Discover.Reply != "" {
		e.Discover.UsedBy = s.probe.userOf(e.Discover.Addr, q.HWAddr, now)
	}
	return e, err
}

// userOf is another machine than hw that has been found using addr; "" for none. It asks nobody.
func (p *prober) userOf(addr netip.Addr, hw leases.HWAddr, now time.Time) leases.HWAddr {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v, by, known := p.verdictOf(numberOf(addr), hw, p.since(now), convictTime); known && v == inUse {
		return by
	}
	return ""
}

func explain(settings *settings, table *leases.Table, q Query, now time.Time) (Explanation, error) {
	if err := q.check(); err != nil {
		return Explanation{}, err
	}
	x := explainer{settings: settings, now: now}
	x.decider = decider{table: table, newcomers: 2, dry: true, cloned: func(leases.Client, leases.Lease) {}}
	e := Explanation{Network: settings.cfg.Network}
	var err error
	if e.Discover, err = x.foretell(q.message(typeDiscover, q.Requested)); err != nil {
		return Explanation{}, err
	}
	e.Client, e.Identity, e.Classes = x.client, x.identity(q), x.classes
	if e.Leases, err = table.Explain(settings.cfg.Network, e.Client, now); err != nil {
		return Explanation{}, fmt.Errorf("explaining %s: %w", e.Network, err)
	}
	for _, addr := range []netip.Addr{q.Requested, e.Leases.Running.Addr, e.Leases.Held.Addr, e.Leases.Former.Addr} {
		if addr.IsValid() {
			e.Reboot, err = x.foretell(q.message(typeRequest, addr))
			break
		}
	}
	return e, err
}

func (q Query) check() error {
	switch {
	case len(q.HWAddr) != 6:
		return fmt.Errorf("%w: %q is no MAC", ErrQuery, q.HWAddr.String())
	case len(q.ClientID) == 1 || len(q.ClientID) > maxClientID: // RFC 2132 section 9.14
		return fmt.Errorf("%w: a client identifier has 2 to %d bytes, not %d", ErrQuery, maxClientID, len(q.ClientID))
	case len(q.Hostname) > maxText, len(q.Vendor) > maxText, len(q.UserClass) > maxText:
		return fmt.Errorf("%w: a name or class has at most %d bytes", ErrQuery, maxText)
	case q.Arch < -1 || q.Arch > 0xffff:
		return fmt.Errorf("%w: architecture %d is not one of 0 to 65535", ErrQuery, q.Arch)
	case q.Requested.IsValid() && !q.Requested.Is4():
		return fmt.Errorf("%w: %v is no IPv4 address", ErrQuery, q.Requested)
	}
	return nil
}

// message is the client's DISCOVER, or its REQUEST in the state INIT-REBOOT.
func (q Query) message(kind messageType, requested netip.Addr) []byte {
	b := make([]byte, offsetOptions, minReply)
	b[0], b[1], b[2] = opRequest, hwEthernet, byte(len(q.HWAddr))
	copy(b[offsetChaddr:], q.HWAddr)
	copy(b[offsetCookie:], cookie[:])
	b = append(b, optMessageType, 1, byte(kind))
	// Longer than any reply: nothing that is configured shall be missing for want of room.
	b = append(b, optMaxMessageSize, 2, 0xff, 0xff)
	text := func(code uint8, data []byte) {
		if len(data) > 0 {
			b = appendOption(b, code, data)
		}
	}
	text(optClientID, q.ClientID)
	text(optHostName, []byte(q.Hostname))
	text(optVendorClass, []byte(q.Vendor))
	text(optUserClass, []byte(q.UserClass)) // as iPXE sends it, without the length of RFC 3004 section 4
	if q.Arch >= 0 {
		text(optArchitecture, binary.BigEndian.AppendUint16(nil, uint16(q.Arch)))
	}
	if requested.IsValid() {
		text(optRequestedAddr, requested.AsSlice())
	}
	return append(b, optEnd)
}

// explainer foretells answers.
type explainer struct {
	settings *settings
	decider  decider
	now      time.Time
	client   leases.Client // of the last message
	classes  []string      // and the classes that decided what it gets
	msg      message
}

// foretell decides one message and encodes its answer.
func (x *explainer) foretell(data []byte) (Foretold, error) {
	m := &x.msg
	if r := m.parse(data); r != "" {
		return Foretold{}, fmt.Errorf("%w: %s", ErrQuery, r.Text())
	}
	from := netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort)
	out := x.decider.decide(x.settings, m, x.settings.classify(m, from, true), x.now)
	x.client = out.client
	f := Foretold{Reason: out.reason, Addr: specified(out.addr), Name: out.name}
	if out.err != nil {
		f.Err = out.err.Error()
	}
	if out.reply == replyNone {
		return f, nil
	}
	f.Reply = out.reply.messageType().String()
	if out.reply == replyNak {
		return f, nil
	}
	f.LeaseTime, x.classes = out.profile.leaseTime, out.profile.classes
	wire, _ := x.settings.appendReply(nil, m, out.say(m))
	f.readOptions(wire)
	for _, o := range f.Options {
		f.Origins = append(f.Origins, out.profile.from(o.Code))
	}
	return f, nil
}

// readOptions takes an encoded reply apart. The pieces of an option are joined.
func (f *Foretold) readOptions(wire []byte) {
	var index optionIndex
	index.read(wire)
	f.NextServer = specified(netip.AddrFrom4([4]byte(wire[offsetSiaddr:])))
	areas := []area{{offsetOptions, len(wire)}}
	if file := (area{offsetFile, offsetCookie}); index.overload()&1 != 0 {
		areas = append(areas, file)
	} else {
		f.BootFile = string(bound(wire[file.start:file.end]))
	}
	if sname := (area{offsetSname, offsetFile}); index.overload()&2 != 0 {
		areas = append(areas, sname)
	} else {
		f.ServerName = string(bound(wire[sname.start:sname.end]))
	}
	var seen [256]bool
	for _, a := range areas {
		for w := (walker{raw: wire, pos: a.start, end: a.end}); w.next(); {
			if seen[w.code] {
				continue
			}
			seen[w.code] = true
			data, _ := index.get(w.code)
			f.Options = append(f.Options, Option{Code: w.code, Data: slices.Clone(data)})
		}
	}
}

// identity says what the server knows the client of q by.
func (x *explainer) identity(q Query) Identity {
	switch {
	case x.client.ID == leases.ClientIDFromHardware(hwEthernet, []byte(q.HWAddr)):
		return IdentifiedByMAC
	case x.client.ID == leases.ClientIDFromOption(q.ClientID):
		return IdentifiedByClientID
	default:
		return IdentifiedAsClone
	}
}
