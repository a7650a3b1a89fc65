package handover

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"labnet/internal/dhcpclient"
)

// leased is what is on disk about the address that a DHCP server has given: for the next start, also after a reboot, and for the way back.
type leased struct {
	ClientID []byte       `json:"client_id,omitempty"` // by which the server knows this host; none: by its MAC address
	Addr     netip.Prefix `json:"address,omitzero"`    // that is in force, or was before the last boot
	Server   netip.Addr   `json:"server,omitzero"`
}

const leaseFile = "lease.json"

// leased is what is known; nothing if it can't be read: then it is asked for anew.
func (h *Host) leased() leased {
	var l leased
	if _, err := h.load(leaseFile, &l); err != nil {
		h.log.Warn("what was known of the DHCP lease is lost; it is asked for anew", "err", err)
		return leased{}
	}
	return l
}

// errNoBridge ends a client whose bridge has gone, or never was.
var errNoBridge = errors.New("no bridge has taken over")

// Leases reports whether the bridge has, or is to get, its address by DHCP: then Lease must run.
func (s State) Leases() bool {
	return s.Config.DHCP && (s.Phase == Moved || s.Phase == Kept)
}

// Lease gets an address for the bridge by DHCP and keeps it, until ctx ends: the lease isn't given back then, since the address stays
// where it is. What the uplink had before is asked for first, and is kept until a server gives something. tell hears of everything
// that happened, after it was done.
func (h *Host) Lease(ctx context.Context, tell func(dhcpclient.Event)) error {
	t, err := h.newTenant()
	if err != nil {
		return err
	}
	former, held := t.former()
	t.held = former
	if !held {
		t.held = netip.Addr{}
	}
	client, err := dhcpclient.Open(dhcpclient.Config{
		Interface: t.state.Config.Bridge, Uplink: t.state.Config.Uplink, ClientID: t.known.ClientID, Hostname: hostname(),
		Former: former, Held: held, NeverYield: true, Log: h.log,
	})
	if err != nil {
		return err
	}
	// Whoever comes next finds the address on the bridge, or asks for it.
	defer h.inForce.set(nil)
	return client.Run(ctx, func(e dhcpclient.Event) error {
		if err := t.follow(e); err != nil {
			return err
		}
		tell(e)
		return nil
	})
}

// hostname is what the host calls itself, without its domain.
func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "localhost" {
		return ""
	}
	name, _, _ = strings.Cut(name, ".")
	return name
}

// tenant puts on the bridge what a server gives.
type tenant struct {
	*Host
	state State
	known leased
	held  netip.Addr // the address that the server's next one takes the place of; invalid if there is none
}

func (h *Host) newTenant() (*tenant, error) {
	s, err := h.State()
	if err != nil {
		return nil, err
	}
	if !s.Leases() {
		return nil, errNoBridge
	}
	t := &tenant{Host: h, state: s, known: h.leased()}
	if t.known.ClientID == nil {
		t.known.ClientID = s.ClientID
	}
	return t, nil
}

// former is the address to ask for, and whether it is on the bridge: the last lease; without one an address that ends, as leases do;
// else the first one that the uplink had.
func (t *tenant) former() (addr netip.Addr, held bool) {
	bridge, err := t.conn.current(t.state.Config.Bridge)
	if err != nil {
		return t.known.Addr.Addr(), false
	}
	all, err := t.conn.addressesOf(bridge)
	if err != nil {
		return t.known.Addr.Addr(), false
	}
	on := slices.DeleteFunc(all, func(a address) bool { return !a.is4() })
	first := func(fits func(a address) bool) bool {
		i := slices.IndexFunc(on, fits)
		if i >= 0 {
			addr = on[i].prefix().Addr()
		}
		return i >= 0
	}
	held = t.known.Addr.IsValid() && first(func(a address) bool { return a.prefix().Addr() == t.known.Addr.Addr() }) ||
		first(func(a address) bool { return a.valid() != forever }) ||
		first(func(a address) bool { return t.state.Snapshot.has(a.prefix().Addr()) })
	if !held && t.known.Addr.IsValid() {
		return t.known.Addr.Addr(), false
	}
	return addr, held
}

// leasedNow is the address that the bridge has: the leased one, or that of the uplink's which it keeps until there is one.
func (h *Host) leasedNow(s State) netip.Prefix {
	t := &tenant{Host: h, state: s, known: h.leased()}
	addr, held := t.former()
	if !held {
		return netip.Prefix{}
	}
	if t.known.Addr.Addr() == addr {
		return t.known.Addr
	}
	for _, a := range s.Snapshot.Addresses {
		if a.prefix().Addr() == addr {
			return a.prefix()
		}
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}

// has reports whether the uplink had an address.
func (s snapshot) has(addr netip.Addr) bool {
	return slices.ContainsFunc(s.Addresses, func(a address) bool { return a.prefix().Addr() == addr })
}

// follow does what an event asks for. An error ends the client, and it begins anew.
func (t *tenant) follow(e dhcpclient.Event) error {
	if e.Kind == dhcpclient.Unanswered {
		return nil
	}
	unlock, err := t.lock(lockFile, lockPatience)
	if err != nil {
		return err
	}
	defer unlock()
	switch now, err := t.State(); {
	case err != nil:
		return err
	case !now.Leases():
		return nil // it goes back just now
	}
	links, err := t.conn.links()
	if err != nil {
		return err
	}
	bridge, ok := find(links, t.state.Config.Bridge)
	if !ok {
		return nil // the client sees it by itself
	}
	if e.Kind == dhcpclient.Lost {
		return t.lose(bridge, e)
	}
	return t.take(bridge, e)
}

// take puts a lease on the bridge. The new address comes before the former one goes.
func (t *tenant) take(bridge link, e dhcpclient.Event) error {
	if e.Kind != dhcpclient.Renewed {
		t.known.Addr, t.known.Server = e.Lease.Addr, e.Lease.Server
		if err := t.save(leaseFile, t.known); err != nil {
			// The host needs its address more than the next start needs the record.
			t.log.Warn("the DHCP lease can't be recorded", "err", err)
		}
	}
	want := lease(e.Lease)
	if err := t.conn.putAddress(want, bridge); err != nil {
		return err
	}
	stale := func(a address) bool {
		other := a.prefix() != e.Lease.Addr
		return other && (a.prefix().Addr() == t.held || a.prefix().Addr() == e.Lease.Addr.Addr() || a.valid() != forever)
	}
	if err := t.conn.takeOff(bridge, stale); err != nil {
		return err
	}
	t.held = e.Lease.Addr.Addr()
	t.inForce.set(&e.Lease)
	err := t.conn.lead(bridge, t.state.Snapshot.metric(), e.Lease)
	if e.Kind != dhcpclient.Renewed {
		// Last, for it may call other programs: neither the address nor its routes wait for them.
		if err := t.resolve(e.Lease); err != nil {
			t.log.Warn("the host's programs don't ask the DNS servers of the lease", "err", err)
		}
	}
	return err
}

// lose takes a lease that has ended off the bridge. An address from before that a server refuses stays until another is there: whoever
// is connected by it could not be told.
func (t *tenant) lose(bridge link, e dhcpclient.Event) error {
	addr := e.Lease.Addr.Addr()
	if !e.Lease.Server.IsValid() {
		t.log.Warn("the address from before is refused, and goes when there is another", "addr", addr, "reason", e.Reason)
		return nil
	}
	t.inForce.set(nil)
	t.known.Addr, t.known.Server = netip.Prefix{}, netip.Addr{}
	if err := t.save(leaseFile, t.known); err != nil {
		t.log.Warn("the end of the DHCP lease can't be recorded", "err", err)
	}
	t.held = netip.Addr{}
	return errors.Join(
		t.conn.lead(bridge, 0, dhcpclient.Lease{}),
		t.conn.takeOff(bridge, func(a address) bool { return a.prefix().Addr() == addr }))
}

// lease is a lease's address as it is put on a link.
func lease(l dhcpclient.Lease) address {
	a := static(l.Addr)
	if l.Lifetime == dhcpclient.Forever {
		return a
	}
	seconds := put32(uint32(min(l.Lifetime.Seconds(), float64(forever-1))))
	return address{a.with(unix.IFA_CACHEINFO, slices.Concat(seconds, seconds, make([]byte, 8)))}
}

// metric is that of the default route that the uplink had, 0 without one.
func (s snapshot) metric() uint32 {
	for _, r := range s.Routes {
		if r.is4() && r.dst().Bits() == 0 && r.table() == unix.RT_TABLE_MAIN {
			return r.metric()
		}
	}
	return 0
}

// giveUp is what the uplink gets back. A lease that nobody goes on using is given back to its server, while the bridge has its address.
func (h *Host) giveUp(s State, l leased) snapshot {
	var now *snapshot
	if bridge, err := h.conn.current(s.Config.Bridge); err == nil {
		if taken, err := h.conn.take(bridge); err == nil {
			now = &taken
		}
	}
	back, release := s.Snapshot.returning(s.Config, l, now)
	if !release {
		return back
	}
	err := dhcpclient.Release(dhcpclient.Config{Interface: s.Config.Bridge, ClientID: l.ClientID}, l.Addr.Addr(), l.Server)
	if err != nil {
		h.log.Warn("the DHCP lease isn't given back, and ends by itself", "err", err)
		return back
	}
	h.log.Info("gave the leased address back", "addr", l.Addr.Addr(), "server", l.Server)
	if err := h.save(leaseFile, leased{ClientID: l.ClientID}); err != nil {
		h.log.Warn("that the DHCP lease was given back can't be recorded", "err", err)
	}
	return back
}
