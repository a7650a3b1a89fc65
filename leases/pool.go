package leases

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// errEmpty and errNotHex say why a written identity can't be read.
var (
	errEmpty  = errors.New("empty")
	errNotHex = errors.New("not bytes in hex, separated by colons")
)

// builtinReserved are labels that a client must never have: what hosts and resolvers trust without asking.
var builtinReserved = []string{"localhost", "wpad", "isatap", "gateway", "router"}

// pool is the checked and indexed form of a Network; it is immutable.
type pool struct {
	subnet                      netip.Prefix
	gateway, network, broadcast uint32 // never given out; network and broadcast are 0 where the subnet has none (RFC 3021)
	spans                       []span // sorted
	size                        uint64 // addresses in spans
	conflict                    NameConflict

	byAddr     map[uint32]*Reservation
	byHW       map[HWAddr]*Reservation
	byID       map[ClientID]*Reservation
	byHostname map[string]*Reservation
	byAlias    map[string]*Reservation
	labels     map[string]struct{} // names that only a reservation gives
}

// span is a Range; before counts the addresses of the spans in front of it.
type span struct {
	lo, hi uint32
	before uint64
}

func toUint(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func toAddr(v uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}

func newPool(cfg Network) (*pool, error) {
	if cfg.Name == "" {
		return nil, errors.New("a network without a name")
	}
	p, err := buildPool(cfg)
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", cfg.Name, err)
	}
	return p, nil
}

func buildPool(cfg Network) (*pool, error) {
	if !cfg.Subnet.IsValid() || !cfg.Subnet.Addr().Is4() || cfg.Subnet != cfg.Subnet.Masked() {
		return nil, fmt.Errorf("subnet %v is not a masked IPv4 prefix", cfg.Subnet)
	}
	if cfg.NameConflict > Reject {
		return nil, fmt.Errorf("name conflict policy %d is unknown", cfg.NameConflict)
	}
	p := &pool{subnet: cfg.Subnet, conflict: cfg.NameConflict}
	if cfg.Gateway.IsValid() {
		if !cfg.Subnet.Contains(cfg.Gateway) {
			return nil, fmt.Errorf("gateway %v is outside %v", cfg.Gateway, cfg.Subnet)
		}
		p.gateway = toUint(cfg.Gateway)
	}
	if bits := cfg.Subnet.Bits(); bits <= 30 {
		p.network = toUint(cfg.Subnet.Addr())
		p.broadcast = p.network | ^uint32(0)>>bits
	}
	if err := p.addRanges(cfg.Ranges); err != nil {
		return nil, err
	}
	return p, p.addReservations(cfg)
}

func (p *pool) addRanges(ranges []Range) error {
	for _, r := range ranges {
		if !p.subnet.Contains(r.Start) || !p.subnet.Contains(r.End) || r.End.Less(r.Start) {
			return fmt.Errorf("range %v-%v is not one of %v", r.Start, r.End, p.subnet)
		}
		p.spans = append(p.spans, span{lo: toUint(r.Start), hi: toUint(r.End)})
	}
	slices.SortFunc(p.spans, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	for i := range p.spans {
		s := &p.spans[i]
		if i > 0 && s.lo <= p.spans[i-1].hi {
			return fmt.Errorf("ranges overlap at %v", toAddr(s.lo))
		}
		s.before = p.size
		p.size += uint64(s.hi-s.lo) + 1
	}
	return nil
}

func (p *pool) addReservations(cfg Network) error {
	p.byAddr = make(map[uint32]*Reservation)
	p.byHW = make(map[HWAddr]*Reservation)
	p.byID = make(map[ClientID]*Reservation)
	p.byHostname = make(map[string]*Reservation)
	p.byAlias = make(map[string]*Reservation)
	p.labels = make(map[string]struct{})
	for i := range cfg.Reservations {
		r := cfg.Reservations[i]
		r.Aliases = slices.Clone(r.Aliases)
		if r.Addr.IsValid() {
			if !p.usable(r.Addr) {
				return fmt.Errorf("reservation %q: %v can't be given to a client of %v", r.Name, r.Addr, p.subnet)
			}
			if !addKey(p.byAddr, toUint(r.Addr), &r) {
				return fmt.Errorf("reservation %q: %v is reserved twice", r.Name, r.Addr)
			}
		}
		if r.ID != "" && !addKey(p.byID, r.ID, &r) {
			return fmt.Errorf("reservation %q: client %v has two reservations", r.Name, r.ID)
		}
		if r.HWAddr != "" && !addKey(p.byHW, r.HWAddr, &r) {
			return fmt.Errorf("reservation %q: %v has two reservations", r.Name, r.HWAddr)
		}
		if r.Hostname != "" && !addKey(p.byHostname, r.Hostname, &r) {
			return fmt.Errorf("reservation %q: host name %q has two reservations", r.Name, r.Hostname)
		}
		for _, label := range append([]string{r.Name}, r.Aliases...) {
			if label == "" {
				continue
			}
			if clean, ok := CleanName(label); !ok || clean != label {
				return fmt.Errorf("reservation %q: %q is not a lower-case DNS label", r.Name, label)
			}
			if _, twice := p.labels[label]; twice {
				return fmt.Errorf("reservation %q: the name %q is reserved twice", r.Name, label)
			}
			p.labels[label] = struct{}{}
		}
		for _, alias := range r.Aliases {
			p.byAlias[alias] = &r
		}
	}
	for _, label := range slices.Concat(builtinReserved, cfg.ReservedNames) {
		p.labels[label] = struct{}{}
	}
	return nil
}

func addKey[K comparable](m map[K]*Reservation, key K, r *Reservation) bool {
	if m[key] != nil {
		return false
	}
	m[key] = r
	return true
}

// usable reports whether a could be any client's at all.
func (p *pool) usable(a netip.Addr) bool {
	return p.subnet.Contains(a) && !p.excluded(toUint(a))
}

func (p *pool) excluded(a uint32) bool {
	return a == 0 || a == p.gateway || a == p.network || a == p.broadcast
}

// inSpans reports whether a lies in a range.
func (p *pool) inSpans(a uint32) bool {
	i, exact := slices.BinarySearchFunc(p.spans, a, func(s span, a uint32) int { return cmp.Compare(s.lo, a) })
	return exact || i > 0 && a <= p.spans[i-1].hi
}

// open reports whether a may be given to anyone: in a range, not excluded, not reserved.
func (p *pool) open(a uint32) bool {
	return p.inSpans(a) && !p.excluded(a) && p.byAddr[a] == nil
}

// window is how many addresses, from the first one on, derived ones lie in.
func (p *pool) window() uint64 { return min(p.size, derivedWindow) }

// at returns the address with the index i < size.
func (p *pool) at(i uint64) uint32 {
	k, exact := slices.BinarySearchFunc(p.spans, i, func(s span, i uint64) int { return cmp.Compare(s.before, i) })
	if !exact {
		k--
	}
	return p.spans[k].lo + uint32(i-p.spans[k].before)
}

// match returns the reservation that was made for c, or nil, and whether only the name that c sends says so. label is that
// name, cleaned, or "".
func (p *pool) match(c Client, label string) (r *Reservation, byHostname bool) {
	if r := p.byID[c.ID]; r != nil {
		return r, false
	}
	if c.HWAddr != "" {
		if r := p.byHW[c.HWAddr]; r != nil {
			return r, false
		}
	}
	if label != "" {
		r = p.byHostname[label]
	}
	return r, r != nil
}
