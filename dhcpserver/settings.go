package dhcpserver

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"labnet/leases"
)

// Bounds of a reply's IP datagram: what every client takes (RFC 2131 section 2), and an Ethernet frame's.
const (
	minDatagram = 576
	defaultMTU  = 1500
)

// settings is a Config, checked and prepared for the wire. It is never changed once made, but for its cache.
type settings struct {
	cfg       Config
	server    netip.Addr // our address, the server identifier
	subnet    netip.Prefix
	broadcast netip.Addr
	mask      [4]byte
	mtu       int
	relays    map[netip.Addr]struct{}
	domain    fqdnDomain

	base  *profile
	hosts map[string]*profile // by the reservation's name

	classes    []class
	baseLayer  layer
	hostLayers map[string]layer // by the reservation's name
	cache      *profileCache    // of profiles with classes
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

		hostLayers: make(map[string]layer, len(cfg.Hosts)),
		cache:      &profileCache{byKey: make(map[profileKey]*profile)},
	}
	if err := s.compileProfiles(); err != nil {
		return nil, err
	}
	return s, nil
}

// compileProfiles prepares what the network, its classes and its hosts give, the domain, and who may be a relay.
func (s *settings) compileProfiles() error {
	cfg := &s.cfg
	if err := errors.Join(cfg.Boot.check(), checkOptions(cfg.Options)); err != nil {
		return err
	}
	var err error
	if s.domain, err = newFQDNDomain(cfg.Domain); err != nil {
		return err
	}
	if s.relays, err = newRelays(cfg.Relays, s.server); err != nil {
		return err
	}
	s.baseLayer = layer{cfg.LeaseTime, cfg.Boot, cfg.Options, "network"}
	s.base = newProfile(s.server, s.baseLayer)
	for _, h := range cfg.Hosts {
		if h.LeaseTime != 0 && h.LeaseTime < time.Second {
			return fmt.Errorf("host %q: lease time %v: must be at least a second", h.Host, h.LeaseTime)
		}
		if err := errors.Join(h.Boot.check(), checkOptions(h.Options)); err != nil {
			return fmt.Errorf("host %q: %w", h.Host, err)
		}
		s.hostLayers[h.Host] = layer{h.LeaseTime, h.Boot, h.Options, "host " + h.Host}
		s.hosts[h.Host] = newProfile(s.server, s.baseLayer, s.hostLayers[h.Host])
	}
	if len(cfg.Classes) > maxClasses {
		return fmt.Errorf("%d classes: at most %d", len(cfg.Classes), maxClasses)
	}
	for _, c := range cfg.Classes {
		compiled, err := newClass(c)
		if err != nil {
			return fmt.Errorf("class %q: %w", c.Name, err)
		}
		s.classes = append(s.classes, compiled)
	}
	return nil
}

// isHost says whether a can be a host on our link that isn't us.
func (s *settings) isHost(a netip.Addr) bool {
	return s.subnet.Contains(a) && a != s.server && a != s.subnet.Addr() && a != s.broadcast
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
