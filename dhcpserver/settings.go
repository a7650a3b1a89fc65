package dhcpserver

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"labnet/leases"
)

// Bounds of a reply's IP datagram: what every client takes (RFC 2131 section 2), and an Ethernet frame's.
const (
	minDatagram = 576
	defaultMTU  = 1500
)

// settings is a Config, checked and prepared for the wire. It is never changed once made.
type settings struct {
	cfg       Config
	server    netip.Addr // our address, the server identifier
	subnet    netip.Prefix
	broadcast netip.Addr
	mask      [4]byte
	mtu       int
	base      *profile
	hosts     map[string]*profile // by the reservation's name
}

// profile is what one kind of client gets: the lease time and the configured options, ready to be copied.
type profile struct {
	leaseTime time.Duration
	options   []wireOption // by code
	index     [256]uint8   // into options, plus one; 0 for none
}

// wireOption is an option with its header or, if it is long, with those of its pieces (RFC 3396).
type wireOption struct {
	code   uint8
	always bool
	wire   []byte
}

// compile checks cfg and prepares it.
func compile(cfg Config) (*settings, error) {
	var errs []error
	if cfg.Network == "" {
		errs = append(errs, errors.New("no network name"))
	}
	if cfg.Interface == "" || len(cfg.Interface) > 15 {
		errs = append(errs, fmt.Errorf("interface name %q: must have 1 to 15 characters", cfg.Interface))
	}
	addr := cfg.Address.Addr()
	if !addr.Is4() || cfg.Address.Bits() > 30 || addr == cfg.Address.Masked().Addr() || addr == lastAddr(cfg.Address) {
		errs = append(errs, fmt.Errorf("address %v: must be an IPv4 host address with a prefix of at most 30 bits", cfg.Address))
	}
	if cfg.LeaseTime < time.Second {
		errs = append(errs, fmt.Errorf("lease time %v: must be at least a second", cfg.LeaseTime))
	}
	if cfg.MTU != 0 && cfg.MTU < minDatagram {
		errs = append(errs, fmt.Errorf("MTU %d: must be at least %d", cfg.MTU, minDatagram))
	}
	if cfg.Identity > IdentityMAC {
		errs = append(errs, fmt.Errorf("identity policy %d: no such policy", cfg.Identity))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	s := &settings{
		cfg:       cfg,
		server:    addr,
		subnet:    cfg.Address.Masked(),
		broadcast: lastAddr(cfg.Address),
		mask:      maskOf(cfg.Address.Bits()),
		mtu:       cmp.Or(cfg.MTU, defaultMTU),
		hosts:     make(map[string]*profile, len(cfg.Hosts)),
	}
	var err error
	if s.base, err = newProfile(cfg.LeaseTime, cfg.Options); err != nil {
		return nil, err
	}
	for _, h := range cfg.Hosts {
		if h.LeaseTime != 0 && h.LeaseTime < time.Second {
			return nil, fmt.Errorf("host %q: lease time %v: must be at least a second", h.Host, h.LeaseTime)
		}
		if s.hosts[h.Host], err = newProfile(cmp.Or(h.LeaseTime, cfg.LeaseTime), cfg.Options, h.Options...); err != nil {
			return nil, fmt.Errorf("host %q: %w", h.Host, err)
		}
	}
	return s, nil
}

// newProfile prepares options; of two with the same code the later one counts, and one without data is not sent.
func newProfile(leaseTime time.Duration, base []Option, own ...Option) (*profile, error) {
	byCode := make(map[uint8]Option, len(base)+len(own))
	for _, o := range slices.Concat(base, own) {
		if ownOption(o.Code) {
			return nil, fmt.Errorf("option %d is made by the server itself", o.Code)
		}
		byCode[o.Code] = o
	}
	p := &profile{leaseTime: leaseTime}
	for _, o := range byCode {
		if len(o.Data) > 0 {
			p.options = append(p.options, wireOption{o.Code, o.Always, appendOption(nil, o.Code, o.Data)})
		}
	}
	slices.SortFunc(p.options, func(a, b wireOption) int { return cmp.Compare(a.code, b.code) })
	for i, o := range p.options {
		p.index[o.code] = uint8(i + 1)
	}
	return p, nil
}

// ownOption says whether the server makes the option itself, or whether it means nothing in a reply.
func ownOption(code uint8) bool {
	switch code {
	case optPad, optSubnetMask, optRequestedAddr, optLeaseTime, optOverload, optMessageType, optServerID, optParameterList,
		optText, optMaxMessageSize, optRenewal, optRebinding, optClientID, optRelayAgent, optEnd:
		return true
	default:
		return false
	}
}

// isHost says whether a can be a host on our link that isn't us.
func (s *settings) isHost(a netip.Addr) bool {
	return s.subnet.Contains(a) && a != s.server && a != s.subnet.Addr() && a != s.broadcast
}

// profileFor returns what a client gets that has the reservation of this name.
func (s *settings) profileFor(host string) *profile {
	if p, ok := s.hosts[host]; ok {
		return p
	}
	return s.base
}

// seconds is a lease time as it goes on the wire.
func seconds(d time.Duration) uint32 {
	const infinite = 0xffffffff
	if d == leases.Infinite {
		return infinite
	}
	return uint32(min(int64(d/time.Second), infinite-1))
}

func maskOf(bits int) [4]byte {
	m := ^uint32(0) << (32 - bits)
	return [4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}
}

// lastAddr is the subnet's broadcast address; p must be IPv4.
func lastAddr(p netip.Prefix) netip.Addr {
	if !p.Addr().Is4() {
		return netip.Addr{}
	}
	a, m := p.Addr().As4(), maskOf(p.Bits())
	for i := range a {
		a[i] |= ^m[i]
	}
	return netip.AddrFrom4(a)
}
