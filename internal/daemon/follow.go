package daemon

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"sync"
	"time"

	"labnet/internal/config"
	"labnet/leases"
	"labnet/netcfg"
)

// followPace is the least time from one change of the host's rules to the next, while leases come in a crowd: together they cost one
// transaction. A lease that comes alone waits for nothing.
const followPace = 5 * time.Millisecond

// follower is what takes note of who has which address: netcfg.Host, and a list in the tests.
type follower interface {
	SetGuests(netcfg.Guests)
	ChangeGuests(netcfg.GuestChanges)
}

// guestFeed tells the host's rules who has which address. It reads the table's events behind the commit, which keep no lease waiting, and
// only if there are rules that go by them.
type guestFeed struct {
	host  follower
	table *leases.Table
	log   *slog.Logger

	mu     sync.Mutex // guards what follows, and is held while the host is told
	roll   *guestRoll
	events *leases.Events
	again  context.CancelFunc // wakes the reader for another roll
}

func newGuestFeed(host follower, table *leases.Table, log *slog.Logger) *guestFeed {
	return &guestFeed{host: host, table: table, log: log, roll: newGuestRoll(&config.Config{}), again: func() {}}
}

// reconfigure tells the host all there is to know for a configuration. It returns when the host has been told; run follows from there.
func (f *guestFeed) reconfigure(cfg *config.Config) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.call(newGuestRoll(cfg))
	f.again()
}

// call makes a roll of the leases that there are.
func (f *guestFeed) call(r *guestRoll) {
	f.roll, f.events = r, nil
	if !r.empty() {
		all := f.table.Snapshot("")
		for l := range all.All() {
			r.note(l)
		}
		f.events = f.table.Events(all.Seq())
	}
	f.host.SetGuests(r.guests())
}

// run tells the host what happens, until ctx ends.
func (f *guestFeed) run(ctx context.Context) error {
	for ctx.Err() == nil {
		f.mu.Lock()
		roll, events := f.roll, f.events
		next, cancel := context.WithCancel(ctx)
		f.again = cancel
		f.mu.Unlock()
		if events == nil {
			<-next.Done()
		} else {
			f.follow(next, roll, events)
		}
		cancel()
	}
	return nil
}

// follow tells the host what happens, until ctx ends or events are lost.
func (f *guestFeed) follow(ctx context.Context, roll *guestRoll, events *leases.Events) {
	none, cancel := context.WithCancel(ctx)
	cancel()
	for {
		event, err := events.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		f.mu.Lock()
		if f.roll != roll {
			f.mu.Unlock()
			return
		}
		for err == nil {
			roll.change(event)
			event, err = events.Next(none) // what there is already
		}
		if errors.Is(err, leases.ErrEventsLost) {
			f.log.Debug("leases came faster than the rules could follow: all are looked at again")
			f.call(newGuestRoll(roll.cfg))
			f.mu.Unlock()
			return
		}
		changes, any := roll.changes()
		if any {
			f.host.ChangeGuests(changes)
		}
		f.mu.Unlock()
		if any {
			select {
			case <-ctx.Done():
				return
			case <-time.After(followPace):
			}
		}
	}
}

// guestRoll is who has which address, as far as a configuration's rules go by it.
type guestRoll struct {
	cfg    *config.Config
	strict map[string]bool                  // networks where addresses are bound
	fixed  map[netcfg.Binding]bool          // by the configuration
	hosts  map[netcfg.GuestName]config.Host // whose address is followed

	bound map[leaseKey]netcfg.Binding // by leases
	held  map[netcfg.GuestName]map[netip.Addr]leases.Lease

	pending netcfg.GuestChanges
	renamed map[netcfg.GuestName]bool
}

type leaseKey struct {
	network string
	addr    netip.Addr
}

func newGuestRoll(cfg *config.Config) *guestRoll {
	r := &guestRoll{
		cfg: cfg, strict: map[string]bool{}, fixed: map[netcfg.Binding]bool{}, hosts: map[netcfg.GuestName]config.Host{},
		bound: map[leaseKey]netcfg.Binding{}, held: map[netcfg.GuestName]map[netip.Addr]leases.Lease{}, renamed: map[netcfg.GuestName]bool{},
	}
	for _, n := range cfg.Networks {
		if n.Bridge.Guard == "strict" {
			r.strict[n.Name] = true
		}
		for _, h := range n.Hosts {
			if mac, ok := macOf(leases.HWAddr(h.MAC)); ok && r.strict[n.Name] && h.Address.IsValid() {
				r.fixed[netcfg.Binding{Network: n.Name, MAC: mac, Addr: h.Address}] = true
			}
			for _, p := range n.Publishes {
				if p.Host == h.Name && !p.Target.IsValid() {
					r.hosts[netcfg.GuestName{Network: n.Name, Name: h.Name}] = h
				}
			}
		}
	}
	return r
}

// empty reports whether there are no rules that go by leases.
func (r *guestRoll) empty() bool { return len(r.strict) == 0 && len(r.hosts) == 0 }

// macOf is a hardware address as Ethernet's.
func macOf(hw leases.HWAddr) (mac netcfg.MAC, ok bool) {
	return mac, copy(mac[:], hw) == len(mac) && len(hw) == len(mac)
}

// change notes an event.
func (r *guestRoll) change(e leases.Event) {
	if e.Kind != leases.EventRenewed {
		r.note(e.Lease)
	}
}

// note takes over the lease of an address as it is now.
func (r *guestRoll) note(l leases.Lease) {
	key := leaseKey{l.Network, l.Addr}
	if r.strict[l.Network] {
		old, was := r.bound[key]
		is := netcfg.Binding{Network: l.Network, Addr: l.Addr}
		var has bool
		if is.MAC, has = macOf(l.HWAddr); l.State != leases.Bound {
			has = false
		}
		if was && (!has || old != is) {
			delete(r.bound, key)
			if !r.fixed[old] {
				r.pending.Remove = append(r.pending.Remove, old)
			}
		}
		if has && (!was || old != is) {
			r.bound[key] = is
			r.pending.Add = append(r.pending.Add, is)
		}
	}
	for name, h := range r.hosts {
		if name.Network != l.Network {
			continue
		}
		_, was := r.held[name][l.Addr]
		switch is := l.State == leases.Bound && holds(h, l); {
		case is && r.held[name] == nil:
			r.held[name] = map[netip.Addr]leases.Lease{l.Addr: l}
		case is:
			r.held[name][l.Addr] = l
		case was:
			delete(r.held[name], l.Addr)
		default:
			continue
		}
		r.renamed[name] = true
	}
}

// holds reports whether a lease is a host's.
func holds(h config.Host, l leases.Lease) bool {
	switch {
	case h.MAC != "":
		return l.HWAddr == leases.HWAddr(h.MAC)
	case h.ClientID != "":
		return l.ID == leases.ClientIDFromOption([]byte(h.ClientID))
	}
	// Several guests may say the name; one of them has it.
	said, ok := leases.CleanName(l.RequestedName)
	return h.Hostname != "" && ok && said == h.Hostname && l.Name == h.Name
}

// addrOf is a host's address: of several leases, as a machine has that boots by another identifier than its system's, the one with the
// host's name, and of those the latest.
func (r *guestRoll) addrOf(name netcfg.GuestName) netip.Addr {
	var best leases.Lease
	for _, l := range r.held[name] {
		named, bestNamed := l.Name == name.Name, best.Name == name.Name
		switch {
		case !best.Addr.IsValid(), named && !bestNamed:
		case named != bestNamed, l.Start.Before(best.Start), l.Start.Equal(best.Start) && best.Addr.Less(l.Addr):
			continue
		}
		best = l
	}
	return best.Addr
}

// changes are what has changed since it was last asked, and whether anything has.
func (r *guestRoll) changes() (netcfg.GuestChanges, bool) {
	out := r.pending
	if len(r.renamed) > 0 {
		out.Names = map[netcfg.GuestName]netip.Addr{}
		for name := range r.renamed {
			out.Names[name] = r.addrOf(name)
		}
	}
	out.Add, out.Remove = inTheEnd(out.Add, out.Remove, r.bound)
	r.pending, r.renamed = netcfg.GuestChanges{}, map[netcfg.GuestName]bool{}
	return out, len(out.Add)+len(out.Remove)+len(out.Names) > 0
}

// inTheEnd leaves of what came and went what is so in the end.
func inTheEnd(add, remove []netcfg.Binding, bound map[leaseKey]netcfg.Binding) (added, removed []netcfg.Binding) {
	is := func(b netcfg.Binding) bool { return bound[leaseKey{b.Network, b.Addr}] == b }
	for _, b := range add {
		if is(b) {
			added = append(added, b)
		}
	}
	for _, b := range remove {
		if !is(b) {
			removed = append(removed, b)
		}
	}
	return added, removed
}

// guests is all that is known, with which the roll begins.
func (r *guestRoll) guests() netcfg.Guests {
	g := netcfg.Guests{Bindings: maps.Clone(r.fixed), Names: map[netcfg.GuestName]netip.Addr{}}
	for _, b := range r.bound {
		g.Bindings[b] = true
	}
	for name := range r.hosts {
		if addr := r.addrOf(name); addr.IsValid() {
			g.Names[name] = addr
		}
	}
	r.pending, r.renamed = netcfg.GuestChanges{}, map[netcfg.GuestName]bool{}
	return g
}
