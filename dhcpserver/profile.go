package dhcpserver

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// profile is what one kind of client gets: the lease time, what it boots, and the configured options, ready to be copied.
type profile struct {
	leaseTime time.Duration
	boot      bootFields
	options   []wireOption // by code
	index     [256]uint8   // into options, plus one; 0 for none
	vendorOwn bool         // option 43 is for these clients in particular, not for all of the network
	classes   []string     // the names of the classes that are in it, for people
}

// has says whether the configuration gives an option to the profile's clients.
func (p *profile) has(code uint8) bool { return p.index[code] > 0 }

// from says which layer gives an option: "" for one that the server makes itself.
func (p *profile) from(code uint8) string {
	if !p.has(code) {
		return ""
	}
	return p.options[p.index[code]-1].from
}

// wireOption is an option with its header or, if it is long, with those of its pieces (RFC 3396).
type wireOption struct {
	code    uint8
	sending sending
	wire    []byte
	from    string // for people: the layer that gives it
}

// sending says which clients get an option beside those whose parameter request list names it.
type sending uint8

const (
	sendUnlisted sending = iota // those without such a list
	sendAlways                  // all
	sendAsked                   // no other
)

// layer is what the network, a class or a host gives; a later one counts where two give the same.
type layer struct {
	leaseTime time.Duration // 0: not given here
	boot      Boot
	options   []Option
	from      string // what it is, for people
}

// newProfile lays layers over one another; the first must give a lease time. An option without data is not sent. server is
// our address.
func newProfile(server netip.Addr, layers ...layer) *profile {
	p := new(profile)
	byCode := make(map[uint8]Option)
	from := make(map[uint8]string)
	var boot Boot
	for i, l := range layers {
		p.leaseTime = cmp.Or(l.leaseTime, p.leaseTime)
		boot = boot.over(l.boot)
		// Within a layer an option says it more precisely than what the boot file and server make of it.
		if l.boot.File != "" {
			byCode[optBootFile], from[optBootFile] = boot.fileOption(), l.from
		}
		if l.boot.ServerName != "" || l.boot.NextServer.IsValid() {
			byCode[optTFTPServerName], from[optTFTPServerName] = boot.serverOption(), l.from
		}
		for _, o := range l.options {
			byCode[o.Code], from[o.Code] = o, l.from
			if o.Code == optVendorSpecific {
				p.vendorOwn = i > 0 && len(o.Data) > 0
			}
		}
	}
	p.boot = boot.fields(server)
	if routes, ok := byCode[optClasslessRoutes]; ok && len(routes.Data) > 0 {
		routes.Data = withDefaultRoute(routes.Data, byCode[optRouters].Data)
		byCode[optClasslessRoutes] = routes
	}
	for _, o := range byCode {
		when := sendUnlisted
		if o.Always {
			when = sendAlways
		}
		p.add(o, when, from[o.Code])
	}
	if _, own := byCode[optMicrosoftRoutes]; !own {
		p.add(Option{Code: optMicrosoftRoutes, Data: byCode[optClasslessRoutes].Data}, sendAsked, from[optClasslessRoutes])
	}
	slices.SortFunc(p.options, func(a, b wireOption) int { return cmp.Compare(a.code, b.code) })
	for i, o := range p.options {
		p.index[o.code] = uint8(i + 1)
	}
	return p
}

func (p *profile) add(o Option, when sending, from string) {
	if len(o.Data) > 0 {
		p.options = append(p.options, wireOption{o.Code, when, appendOption(nil, o.Code, o.Data), from})
	}
}

// withDefaultRoute returns classless routes with a default route by the first router, unless they have one: a client that
// takes them ignores the routers of option 3 (RFC 3442). Option 3 is sent all the same, though the RFC would leave it
// out: there are scripts that have 121 asked for and read only 3.
func withDefaultRoute(routes, routers []byte) []byte {
	for rest := routes; len(rest) > 0; {
		bits := int(rest[0])
		length := 1 + (bits+7)/8 + 4
		if bits == 0 || bits > 32 || len(rest) < length {
			return routes // the default, or nothing that we understand
		}
		rest = rest[length:]
	}
	if len(routers) < 4 {
		return routes
	}
	return slices.Concat(routes, []byte{0}, routers[:4])
}

// checkOptions refuses options that are not the operator's to set.
func checkOptions(options []Option) error {
	for _, o := range options {
		if ownOption(o.Code) {
			return fmt.Errorf("option %d is made by the server itself", o.Code)
		}
	}
	return nil
}

// ownOption says whether the server makes the option itself, or whether it means nothing in a reply.
func ownOption(code uint8) bool {
	switch code {
	case optPad, optSubnetMask, optRequestedAddr, optLeaseTime, optOverload, optMessageType, optServerID, optParameterList,
		optText, optMaxMessageSize, optRenewal, optRebinding, optClientID, optRapidCommit, optFQDN, optRelayAgent,
		optSubnetSelection, optEnd:
		return true
	default:
		return false
	}
}
