package netcfg

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
)

// MAC is an Ethernet address.
type MAC [6]byte

func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// MarshalText gives what String gives.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what String gives.
func (m *MAC) UnmarshalText(text []byte) error {
	hw, err := net.ParseMAC(string(text))
	if err == nil && copy(m[:], hw) != len(hw) {
		err = fmt.Errorf("%q is no Ethernet address", text)
	}
	return err
}

// Binding is an address that a guest may send from under a strict guard.
type Binding struct {
	Network string
	MAC     MAC
	Addr    netip.Addr // IPv4
}

// GuestName is how a Publish without a target calls its guest.
type GuestName struct{ Network, Name string }

// Guests is who has which address, as far as rules go by it.
type Guests struct {
	Bindings map[Binding]bool
	Names    map[GuestName]netip.Addr
}

// GuestChanges is what becomes of Guests.
type GuestChanges struct {
	Add, Remove []Binding
	Names       map[GuestName]netip.Addr // invalid: nobody has the name any more
}

// SetGuests says anew who has which address. Before an Apply it is only noted, for the sets that will be made; after it the rules
// follow before it returns. What it can't change is tried again by Run. It may be called by any goroutine, also during an Apply.
func (h *Host) SetGuests(g Guests) {
	h.follower.mu.Lock()
	defer h.follower.mu.Unlock()
	changes := GuestChanges{Names: map[GuestName]netip.Addr{}}
	for b := range h.follower.bindings() {
		if !g.Bindings[b] {
			changes.Remove = append(changes.Remove, b)
		}
	}
	for b, has := range g.Bindings {
		if has {
			changes.Add = append(changes.Add, b)
		}
	}
	for name := range h.follower.names {
		changes.Names[name] = netip.Addr{}
	}
	maps.Copy(changes.Names, g.Names)
	h.followChanges(changes)
}

// ChangeGuests is SetGuests for what has changed alone; it costs no more than that, and one transaction.
func (h *Host) ChangeGuests(c GuestChanges) {
	h.follower.mu.Lock()
	defer h.follower.mu.Unlock()
	h.followChanges(c)
}

// roster is who has which address, in the form that the rules go by.
type roster struct {
	stations map[stationID]*station
	names    map[GuestName]netip.Addr
}

// stationID is a guest's card.
type stationID struct {
	network string
	mac     MAC
}

type station struct {
	port  string // "" while it isn't known
	addrs map[netip.Addr]bool
}

func (r *roster) bindings() map[Binding]bool {
	all := map[Binding]bool{}
	for id, s := range r.stations {
		for a := range s.addrs {
			all[Binding{id.network, id.mac, a}] = true
		}
	}
	return all
}

// bind adds a binding, or takes it away.
func (r *roster) bind(b Binding, has bool) {
	id := stationID{b.Network, b.MAC}
	s := r.stations[id]
	switch {
	case has && s == nil:
		if r.stations == nil {
			r.stations = map[stationID]*station{}
		}
		r.stations[id] = &station{addrs: map[netip.Addr]bool{b.Addr: true}}
	case has:
		s.addrs[b.Addr] = true
	case s != nil:
		delete(s.addrs, b.Addr)
		if len(s.addrs) == 0 {
			delete(r.stations, id)
		}
	}
}

func (r *roster) name(name GuestName, addr netip.Addr) {
	switch {
	case !addr.IsValid():
		delete(r.names, name)
	case r.names == nil:
		r.names = map[GuestName]netip.Addr{name: addr}
	default:
		r.names[name] = addr
	}
}

// setID is where a set is.
type setID struct {
	table tableID
	name  string
}

// followed is what is in the sets that the follower fills.
type followed map[setID]map[string]string

func (f followed) add(id setID, element, value string) {
	if f[id] == nil {
		f[id] = map[string]string{}
	}
	f[id][element] = value
}

// addStation adds the elements of a guest's card, which is at a port, "" while that isn't known; s is nil for one without an address.
func (f followed) addStation(id stationID, s *station, port string) {
	in := func(set, element string) { f.add(setID{bridgeTable, set + id.network}, element, "") }
	mac := id.mac.String()
	if port != "" {
		in(settled, mac)
		in(stations, port+between+mac)
	}
	if s == nil {
		return
	}
	for a := range s.addrs {
		if port == "" {
			in(roaming, mac+between+a.String())
		} else {
			in(boundTo, port+between+mac+between+a.String())
		}
	}
}

// addPublished adds what leads to the guests that are followed.
func (f followed) addPublished(cfg Config, names map[GuestName]netip.Addr) {
	for _, n := range cfg.Networks {
		for _, p := range n.Publish {
			addr, known := names[GuestName{n.Name, p.Guest}]
			if p.Target.IsValid() || !known || !n.onLink(addr) {
				continue
			}
			for in, e := range p.elements(publishedLeased, publishedAtLeased, addr) {
				f.add(setID{inetTable, in}, e[0], e[1])
			}
			f.add(setID{bridgeTable, publishedGuestsLeased}, addr.String(), "")
		}
	}
}

// elements is what belongs into the sets of a configuration.
func (r *roster) elements(cfg Config) followed {
	f := followed{}
	strict := map[string]bool{}
	for _, n := range cfg.Networks {
		strict[n.Name] = n.Guard == GuardStrict
	}
	p := cfg.pins()
	for id, s := range r.stations {
		if strict[id.network] {
			f.addStation(id, s, p.portOf(id, s))
		}
	}
	for id, port := range p.ports {
		f.addStation(id, nil, port)
	}
	f.addPublished(cfg, r.names)
	return f
}
